/* The engine's face: mailboxes, clients, requests, calls.
 *
 *   mailbox   one per Lua state: where its calls report. One descriptor,
 *             readable while a report waits.
 *   client    what calls share: limits, statistics, transport settings.
 *   request   one call described as data; owned by the builder until started.
 *   call      one logical call: every attempt of it, its retries and waits.
 *
 * One I/O thread per process runs libcurl's multi; it starts with the first
 * call, belongs to the process that started it (a child of fork makes its
 * own), blocks all signals, and ends with the last mailbox or at exit. The
 * host's threads only put calls on one queue and take reports off another.
 * Nothing here blocks except ba_mailbox_wait().
 *
 * Life of a call: ba_call_start() consumes the request and gives a reference
 * to the caller; the engine holds another until the call is done. Releasing
 * the caller's reference before it is done cancels it. All getters on a call
 * may be used from the mailbox's thread at any time; those marked DONE only
 * after BA_CALL_DONE was reported. */
#ifndef BA_ENGINE_H
#define BA_ENGINE_H

#include "buffer.h"
#include "credential.h"
#include "error.h"

#include <stddef.h>
#include <stdint.h>

/* ---- limits: defaults and hard caps, in one place ---------------------- */

#define BA_DEFAULT_TIMEOUT 600.0        /* seconds, the whole call */
#define BA_DEFAULT_CONNECT_TIMEOUT 5.0  /* seconds, each attempt */
#define BA_DEFAULT_STALL_TIMEOUT 60.0   /* seconds without a byte either way */
#define BA_DEFAULT_SILENT_TIMEOUT 600.0 /* for the first byte, where no deadline is */
#define BA_DEFAULT_MAX_RETRIES 2
#define BA_DEFAULT_MAX_CONNECTIONS 64 /* calls of one client in flight at once */
#define BA_DEFAULT_MAX_HEADER_BYTES (256u << 10)
#define BA_DEFAULT_MAX_BODY_BYTES (64u << 20) /* after decompression */
#define BA_STREAM_BUFFER_BYTES (1u << 20)     /* then the transfer is paused */
#define BA_LIMITS_MAX 4                       /* weighted limiters of a client */

/* ---- mailbox ----------------------------------------------------------- */

struct ba_mailbox;
struct ba_call;

struct ba_mailbox *ba_mailbox_new(struct ba_error *err);
/* Orphans and cancels the calls that still report here, then frees. The last
 * mailbox of the process joins the I/O thread. */
void ba_mailbox_delete(struct ba_mailbox *mailbox);
/* -1 only after a failed fork recovery. Level-triggered; never read it. */
int ba_mailbox_fd(const struct ba_mailbox *mailbox);
/* From now on the mailbox announces its reports by writing 8 bytes to `fd`, an
 * eventfd or a non-blocking unix socket of the host's, instead of making its
 * own descriptor readable: once, until a drain has left it empty. -1 ends it,
 * which must come before `fd` is closed. A child of fork begins without. */
void ba_mailbox_announce(struct ba_mailbox *mailbox, int fd);
/* Blocks until a report waits, `seconds` are over, or a signal arrived: then
 * it returns at once so that the host can run its handlers. True if a report
 * waits. */
bool ba_mailbox_wait(struct ba_mailbox *mailbox, double seconds);
/* Takes up to `capacity` reports: ids of calls with news, each at most once;
 * clears the descriptor when none is left. Returns how many. */
size_t ba_mailbox_drain(struct ba_mailbox *mailbox, uint64_t *ids, size_t capacity);

/* A report of someone else's than a call's: of the file thread's (work.h). It
 * belongs to whoever posts it and must live until it was drained or withdrawn. */
struct ba_notice {
  struct ba_notice *next;
  uint64_t id; /* of ba_new_id() */
  bool posted;
};
uint64_t ba_new_id(void); /* unique in the process, among calls and notices */
/* Memory only: a deleted mailbox swallows what is posted. */
void ba_mailbox_retain(struct ba_mailbox *mailbox);
void ba_mailbox_release(struct ba_mailbox *mailbox);
void ba_mailbox_post(struct ba_mailbox *mailbox, struct ba_notice *notice); /* any thread */
void ba_mailbox_withdraw(struct ba_mailbox *mailbox, struct ba_notice *notice);

/* ---- client ------------------------------------------------------------ */

/* NULL or 0 means the default named above. Strings are copied. */
struct ba_client_settings {
  unsigned max_connections;
  const char *proxy; /* URL; NULL: the environment's; "": none */
  /* PEM; NULL: that of CURL_CA_BUNDLE or SSL_CERT_FILE and SSL_CERT_DIR, else the
   * system's (CAPATH off when a bundle is readable) */
  const char *ca_file;
  const char *client_cert;  /* PEM file */
  const char *client_key;   /* PEM file */
  const char *unix_socket;  /* path */
  const char *http_version; /* NULL (best by ALPN), "1.1", "2" */
  const char *user_agent;
  struct ba_credential *credential; /* retained; NULL: none */
  /* URL: the client certificate is shown to its origin only; NULL: to all. */
  const char *home;
  struct ba_limit_settings {
    const char *name;    /* "read", "write": static or copied */
    unsigned capacity;   /* weight in flight at once; 0: no such bound */
    unsigned per_minute; /* weight started per 60 s, sliding; 0: no bound */
  } limits[BA_LIMITS_MAX];
};

struct ba_client;

struct ba_client *ba_client_new(const struct ba_client_settings *settings, struct ba_error *err);
/* Other settings, the same limiters and statistics. */
struct ba_client *ba_client_derive(struct ba_client *base,
                                   const struct ba_client_settings *settings, struct ba_error *err);
/* Ends its calls in flight as BA_CLOSED; idempotent. */
void ba_client_close(struct ba_client *client);
void ba_client_release(struct ba_client *client); /* closes too */

enum ba_retry_reason {
  BA_RETRY_CONNECT,
  BA_RETRY_TLS,
  BA_RETRY_RESET,
  BA_RETRY_TIMEOUT,
  BA_RETRY_RATE_LIMIT,
  BA_RETRY_SERVER,
  BA_RETRY_AUTH,
  BA_RETRY_TRUNCATED,
  BA_RETRY_REASONS
};
const char *ba_retry_reason_name(enum ba_retry_reason reason);

struct ba_client_stats {
  uint64_t requests, attempts, succeeded, failed;
  uint64_t connections_opened, connections_reused;
  uint64_t bytes_sent, bytes_received;
  uint64_t retries[BA_RETRY_REASONS];
  uint64_t token_requests;
  unsigned in_flight, queued;
};
void ba_client_stats(struct ba_client *client, struct ba_client_stats *out);

/* ---- request ----------------------------------------------------------- */

/* When may an attempt be repeated? (design 2.3)
 *   SAFE        any failure that a repeat can mend
 *   IDEMPOTENT  the same; kept apart for statistics and docs
 *   NEVER_SENT  only when no byte of it can have been acted on: no byte sent,
 *               or a status of `unaccepted` (429 unless said otherwise)      */
enum ba_repeat { BA_REPEAT_SAFE, BA_REPEAT_IDEMPOTENT, BA_REPEAT_NEVER_SENT };

struct ba_request;

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
  bool no_credential;   /* send none even if the client has one */
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

/* ---- call -------------------------------------------------------------- */

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

struct ba_header_view {
  const char *name;
  const char *value;
  size_t value_length;
}; /* name in lower case */

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

/* ---- process ----------------------------------------------------------- */

/* Called once when the module is loaded: starts libcurl, registers the fork
 * handler and, after libcurl's own, the exit handler. Refuses a libcurl whose
 * TLS library is not the OpenSSL that the core runs with. */
bool ba_engine_load(struct ba_error *err);

#endif
