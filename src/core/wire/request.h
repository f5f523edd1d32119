/* What a request is made of: data that whoever carries it reads, and that
 * nobody changes once a call is started with it. request.c owns it. */
#ifndef BA_WIRE_REQUEST_H
#define BA_WIRE_REQUEST_H

#include "batchapi/request.h"
#include "wire/source.h"

#include <stdatomic.h>

struct curl_slist;

struct ba_part {
  struct ba_part *next;
  char *name, *filename, *type;
  struct ba_source source;
};

enum ba_body_kind { BA_BODY_NONE, BA_BODY_MEMORY, BA_BODY_FILE, BA_BODY_STREAM, BA_BODY_PARTS };
enum ba_sink_kind { BA_SINK_MEMORY, BA_SINK_FILE, BA_SINK_STREAM };

/* Where no other is asked for, and the answer goes to memory. */
#define BA_ACCEPT_ENCODING "gzip"

struct ba_request {
  struct ba_request *base;     /* of one made like another: method, headers and lists are its */
  _Atomic unsigned references; /* its own, and one of each made like it */
  const char *method;
  char *url;                                 /* NULL: a base */
  struct curl_slist *headers, **last_header; /* nodes are ours: one block each */
  enum ba_body_kind body;
  struct ba_source source; /* memory, file */
  struct ba_part *parts, **last_part;
  int64_t stream_length;
  bool restartable;
  bool secret_body; /* wiped when it is freed */
  enum ba_sink_kind sink;
  struct ba_disk *disk;        /* its files are in; NULL: anywhere */
  char *path;                  /* of the file sink */
  const char *accept_encoding; /* the caller's own; in its header list, too */
  bool has_type, has_agent;    /* the caller gave a Content-Type, a User-Agent */
  struct ba_request_options options;
  int *unaccepted;
  char **final_codes, **code_paths;
};

bool ba_request_check_url(const char *url, struct ba_error *err);
/* Another body in the place of one in memory, which is wiped. Takes it over. */
void ba_request_replace_body(struct ba_request *request, char *bytes, size_t length);
/* Opens what of it is in files, before anything is sent. */
bool ba_request_open(struct ba_request *request, struct ba_error *err);
/* Have all bytes of its parts been read? */
bool ba_request_is_read(const struct ba_request *request);

#endif
