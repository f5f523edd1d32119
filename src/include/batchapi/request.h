/* Requests: one call described as data. A request is its builder's until a
 * call is started with it. */
#ifndef BA_REQUEST_H
#define BA_REQUEST_H

#include "defaults.h"
#include "error.h"
#include "http.h"

#include <stddef.h>
#include <stdint.h>

struct ba_request;
struct ba_disk;

/* url NULL: a base for others, which is never started itself. */
struct ba_request *ba_request_new(const char *method, const char *url, struct ba_error *err);
/* A request with the base's method, headers and options, which are shared, not
 * copied; the base has no body and no sink of its own, does not change any more,
 * and may be deleted before those made like it. bytes NULL: no body. */
struct ba_request *ba_request_like(struct ba_request *base, const char *url, const void *bytes,
                                   size_t length, struct ba_error *err);
void ba_request_delete(struct ba_request *request); /* only if it was not started */
/* CR, LF or NUL in a name or value is BA_INVALID. */
bool ba_request_header(struct ba_request *request, const char *name, const char *value,
                       size_t length, struct ba_error *err);

/* At most one kind of body. */
bool ba_request_body(struct ba_request *request, const void *bytes, size_t length,
                     struct ba_error *err);
/* Streamed from disk; its size is taken when it is opened (at start, so that a
 * missing file fails the call before anything is sent); a file that shrinks
 * or grows meanwhile ends the call as BA_IO. */
bool ba_request_body_file(struct ba_request *request, const char *path, struct ba_error *err);
/* The caller feeds it with ba_call_write(). length < 0: unknown (chunked).
 * Not restartable: no attempt follows one that has taken bytes. */
bool ba_request_body_stream(struct ba_request *request, int64_t length, bool restartable,
                            struct ba_error *err);
/* multipart/form-data, parts in the order of the calls */
bool ba_request_part(struct ba_request *request, const char *name, const void *bytes, size_t length,
                     const char *filename, const char *type,
                     struct ba_error *err); /* filename, type: or NULL */
bool ba_request_part_file(struct ba_request *request, const char *name, const char *path,
                          const char *filename, const char *type, struct ba_error *err);

/* Where the answer's body goes; memory if none is called. Error answers
 * (status >= 300) always go to memory, capped. */
/* Before any of its files is named: their paths are of that directory, opened
 * once (disk.h), and are reached through it. */
void ba_request_on_disk(struct ba_request *request, struct ba_disk *disk);
bool ba_request_to_file(struct ba_request *request, const char *path, struct ba_error *err);
bool ba_request_to_stream(struct ba_request *request, struct ba_error *err);

/* Plain data; set between new and start. */
struct ba_request_options {
  double timeout; /* seconds, whole call; < 0: none (the two below govern) */
  double connect_timeout;
  double stall_timeout; /* without a byte, but not while the server thinks: */
  /* Between the last byte sent and the answer's first only `timeout` counts;
   * this, where there is none. */
  double silent_timeout;
  int max_retries; /* < 0: default */
  enum ba_repeat repeat;
  size_t max_body_bytes, max_header_bytes;
  bool record_attempts; /* keep a record of each attempt for ba_call_attempt() */
  bool allow_redirects; /* GET and HEAD: at most 5, credentials to the same origin only */
  bool raw; /* a good answer is bytes, perhaps lines: that its text is JSON does not say it is whole
             */
  bool no_credential; /* send none even if the client has one */
  bool unpack; /* the answer is JSON: what comes as gzip or UTF-16 unasked is given as UTF-8 */
  unsigned weights[BA_LIMITS_MAX]; /* what it takes of each limiter */
  /* Statuses that say "not accepted", so that even NEVER_SENT may repeat
   * (zero-terminated; NULL: { 429 }). */
  const int *unaccepted;
  /* Error codes in the answer's JSON that are final though the status would
   * be repeated (NULL-terminated, copied): "insufficient_quota", … */
  const char *const *final_codes;
  /* Where a service puts its error code: JSON paths "error.code" (NULL-
   * terminated, copied). */
  const char *const *code_paths;
};
void ba_request_options_init(struct ba_request_options *options); /* the defaults */
bool ba_request_set_options(struct ba_request *request, const struct ba_request_options *options,
                            struct ba_error *err);

#endif
