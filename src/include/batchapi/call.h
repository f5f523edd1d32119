/* Calls: one logical call, with every attempt of it, its retries and waits.
 *
 * One I/O thread per process runs libcurl's multi; it starts with the first
 * call, belongs to the process that started it (a child of fork makes its
 * own), blocks all signals, and ends with the last mailbox or at exit. The
 * host's threads only put calls on one queue and take reports off another.
 *
 * Life of a call: ba_call_start() consumes the request and gives a reference
 * to the caller; the engine holds another until the call is done. Releasing
 * the caller's reference before it is done cancels it. All getters on a call
 * may be used from the mailbox's thread at any time; those marked DONE only
 * after BA_CALL_DONE was reported. */
#ifndef BA_CALL_H
#define BA_CALL_H

#include "buffer.h"
#include "client.h"
#include "error.h"
#include "http.h"
#include "mailbox.h"
#include "request.h"

#include <stddef.h>
#include <stdint.h>

struct ba_call;

/* Consumes the request, also on failure. A closed client or no memory for the
 * thread fails here; everything else is reported through the mailbox. */
struct ba_call *ba_call_start(struct ba_client *client, struct ba_mailbox *mailbox,
                              struct ba_request *request, struct ba_error *err);
uint64_t ba_call_id(const struct ba_call *call); /* unique in the process, from 1 */

enum ba_call_news {
  BA_CALL_DONE = 1,       /* it has ended; result or error are there */
  BA_CALL_READABLE = 2,   /* to_stream: bytes wait, or the body's end */
  BA_CALL_WRITABLE = 4,   /* body_stream: ba_call_write() takes bytes */
  BA_CALL_RESTART = 8,    /* body_stream: begin again from its first byte */
  BA_CALL_ATTEMPTED = 16, /* record_attempts: a record waits */
  BA_CALL_ASK_TOKEN =
      32, /* run the token function, then ba_credential_put() + ba_call_token_put() */
  /* A refresh token waits: ba_credential_renewed(), keep it, ba_credential_told()
   * and ba_call_token_put(); no call uses the access token before. */
  BA_CALL_RENEWED = 64
};
/* The set of news that hold now. RESTART, ASK_TOKEN and RENEWED are cleared by
 * being read; once the call is done, RENEWED holds until the token was told.
 * ASK_TOKEN is put to one waiting call at a time; if that call ends without an
 * answer, another is asked. */
unsigned ba_call_news(struct ba_call *call);
bool ba_call_done(struct ba_call *call);

void ba_call_cancel(struct ba_call *call);  /* ends as BA_CANCELLED; idempotent */
void ba_call_release(struct ba_call *call); /* cancels if not done */

/* The token function has failed: every call that waits for it ends so. With
 * ok = true: ba_credential_put() was called, go on. */
void ba_call_token_put(struct ba_call *call, bool ok, const struct ba_error *failure);

/* body_stream. Returns how many bytes were taken (0: wait for WRITABLE). */
size_t ba_call_write(struct ba_call *call, const void *bytes, size_t length);
void ba_call_write_end(struct ba_call *call);
/* The producer has failed: the call ends with this error, the request is cut
 * off so that the server cannot take it for whole. */
void ba_call_write_fail(struct ba_call *call, const struct ba_error *failure);

/* to_stream. Swaps what has arrived into *chunk (whose length must be 0; the
 * caller frees it) and lets the transfer go on. Memory that the chunk still had
 * is filled next, so that a reader who hands it back costs no allocation. False: nothing waits;
 * look at news for DONE. Bytes of a retried attempt are never given twice. */
bool ba_call_read(struct ba_call *call, struct ba_buffer *chunk);

/* DONE. What it points to lives as long as the call. */
struct ba_outcome {
  bool ok; /* an answer with a status below 300 came whole */
  /* BA_OK if ok; of kind BA_HTTP, BA_AUTH or BA_RATE_LIMIT with a status >= 300 */
  const struct ba_error *error;
  int status;         /* the server's, else 0 */
  bool retryable;     /* the same call may succeed later */
  bool maybe_sent;    /* false only if no byte of it can have reached the server */
  double retry_after; /* seconds asked for by the last answer; < 0: none */
  unsigned attempts;
  double elapsed;                       /* seconds from start to end, waits included */
  bool reused;                          /* the last attempt went over a kept connection */
  const char *http_version;             /* "1.1", "2" or "" */
  const struct ba_header_view *headers; /* of the last answer */
  size_t header_count;
  const struct ba_header_view *trailers; /* behind a body in chunks */
  size_t trailer_count;
  const char *body; /* memory sink, or the body of an error answer */
  size_t body_length;
  bool body_cut;       /* the body of an error answer had more than was kept */
  uint64_t file_bytes; /* to_file: bytes now in the file */
};
void ba_call_outcome(struct ba_call *call, struct ba_outcome *out);

struct ba_attempt { /* record_attempts */
  unsigned number;  /* from 1 */
  const char *method;
  const char *url;   /* user info and query secrets removed */
  int status;        /* 0: no answer */
  enum ba_kind kind; /* BA_OK or what went wrong */
  char message[BA_ERROR_MESSAGE_MAX];
  double started, elapsed; /* wall seconds; seconds */
  uint64_t bytes_sent, bytes_received;
  bool reused;
  double retry_in; /* seconds until the next attempt; < 0: none follows */
  const struct ba_header_view *request_headers; /* credential values shown as "***" */
  size_t request_header_count;
};
/* Takes the oldest record that waits (at most 32 are kept); false: none. Views
 * live until the next call of this function or the call's release. */
bool ba_call_next_attempt(struct ba_call *call, struct ba_attempt *out);

#endif
