/* What the engine's files share. Not for anyone outside of it.
 *
 * Two kinds of data, told apart at each struct:
 *   LOCK  guarded by the one lock of the process (ba_lock());
 *   I/O   touched by the I/O thread only, until the call is done.
 * What is set before a call starts and never again needs neither.
 *
 * Who counts on what: a call holds its client and its mailbox; a client holds
 * its shared part; nothing holds a call but its user, the engine, and the
 * mailbox's list of reports. */
#ifndef BA_INTERNAL_H
#define BA_INTERNAL_H

#include "batchapi/engine.h"
#include "crypto/tls.h"
#include "engine/timers.h"
#include "http/headers.h"
#include "http/origin.h"
#include "http/unpack.h"
#include "wire/sockets.h"

#include <curl/curl.h>
#include <stdatomic.h>

/* ---- mailbox.c --------------------------------------------------------- */

struct ba_mailbox { /* LOCK */
  int fd;
  unsigned references;
  bool dead;      /* its owner has deleted it */
  bool polled;    /* someone has the descriptor: it must tell the truth */
  bool waiting;   /* ba_mailbox_wait() sleeps on it */
  int announce;   /* the host's descriptor that is written to instead; -1: none */
  bool socket;    /* that is a socket */
  bool signalled; /* it was said that a report waits */
  bool raised;    /* fd is readable */
  struct ba_call *first, *last;
  struct ba_notice *first_notice, *last_notice;
  struct ba_mailbox *previous, *next; /* all of the process, for fork */
};

void ba_mailbox_retain_locked(struct ba_mailbox *mailbox);
void ba_mailbox_release_locked(struct ba_mailbox *mailbox);
void ba_mailbox_report_locked(struct ba_mailbox *mailbox, struct ba_call *call);
bool ba_mailboxes_any_locked(void);
void ba_mailboxes_after_fork(void); /* in the child, under the lock */

/* ---- client.c, limiter.c ------------------------------------------------ */

/* A minute in quarters of a second, and the quarter that has only begun. */
enum { BA_MINUTE_BUCKETS = 240 + 1 };

struct ba_limiter { /* I/O */
  char *name;
  unsigned capacity, per_minute;
  unsigned in_flight;
  unsigned minute_total;
  unsigned minute[BA_MINUTE_BUCKETS];
  int64_t minute_at; /* number of the newest bucket */
};

struct ba_counters {
  _Atomic uint64_t requests, attempts, succeeded, failed;
  _Atomic uint64_t connections_opened, connections_reused;
  _Atomic uint64_t bytes_sent, bytes_received;
  _Atomic uint64_t retries[BA_RETRY_REASONS];
  _Atomic uint64_t token_requests;
  _Atomic unsigned in_flight, queued;
};

/* What derived clients have in common. */
struct ba_shared {
  unsigned references;                         /* LOCK */
  struct ba_shared *previous_made, *next_made; /* LOCK: all of the process, for fork */
  struct ba_counters counters;
  struct ba_limiter limiters[BA_LIMITS_MAX]; /* I/O from here on */
  unsigned in_flight;                        /* attempts that hold a place */
  struct ba_call *first_waiting, *last_waiting;
  unsigned waiting_for[BA_LIMITS_MAX], waiting_for_place_only;
  bool admitting, admit_again;
  struct ba_timer timer; /* a per-minute limit opens again */
};

enum { BA_ALLOWED_MAX = 128 };

enum ba_version { BA_VERSION_ANY, BA_VERSION_1_1, BA_VERSION_2, BA_VERSIONS };

struct ba_client {
  uint64_t serial;     /* never used twice, unlike an address */
  unsigned references; /* LOCK */
  bool closed;         /* LOCK */
  struct ba_shared *shared;
  unsigned max_connections;
  enum ba_version http_version;
  char *proxy_http, *proxy_https, *no_proxy; /* "" for none */
  char *ca_file, *ca_dir, *client_cert, *client_key, *unix_socket, *user_agent;
  char home[BA_ORIGIN_MAX]; /* "": none was named */
  struct ba_credential *credential;
  char allowed[BA_ALLOWED_MAX]; /* I/O: scheme and authority the credential goes to */
};

static inline void ba_count(_Atomic uint64_t *counter, uint64_t by)
{
  atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

void ba_client_retain_locked(struct ba_client *client);
bool ba_client_release_locked(struct ba_client *client); /* true: it was the last one */
void ba_client_free(struct ba_client *client);           /* outside the lock */
void ba_clients_after_fork(void);                        /* in the child, under the lock */

/* May the call begin an attempt? If not, it is put in line (in front if it
 * has been in flight before) and ba_flow_admitted() is called in its turn. */
bool ba_limits_enter(struct ba_call *call, bool front);
void ba_limits_leave(struct ba_call *call);   /* gives the places back */
void ba_limits_abandon(struct ba_call *call); /* leaves the line */
/* In a child of fork: nobody holds a place, nobody waits. What was begun in
 * the last minute still counts. */
void ba_limits_after_fork(struct ba_shared *shared);

/* ---- request.c, body.c -------------------------------------------------- */

/* Bytes to send that are there from the start: memory or a file. */
struct ba_source {
  char *path; /* NULL: memory */
  char *bytes;
  int64_t length;
  int fd;                   /* I/O */
  int64_t offset;           /* I/O */
  struct ba_error *failure; /* I/O: where a read that fails says why */
};

bool ba_source_open(struct ba_source *source, struct ba_error *err);
void ba_source_close(struct ba_source *source);
/* Callbacks for libcurl with a struct ba_source * as their data. */
size_t ba_source_read(char *out, size_t size, size_t count, void *source);
int ba_source_seek(void *source, curl_off_t offset, int origin);

struct ba_part {
  struct ba_part *next;
  char *name, *filename, *type;
  struct ba_source source;
};

enum ba_body_kind { BA_BODY_NONE, BA_BODY_MEMORY, BA_BODY_FILE, BA_BODY_STREAM, BA_BODY_PARTS };
enum ba_sink_kind { BA_SINK_MEMORY, BA_SINK_FILE, BA_SINK_STREAM };

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
  char *path;                  /* of the file sink */
  const char *accept_encoding; /* the caller's own; in its header list, too */
  bool has_type, has_agent;    /* the caller gave a Content-Type, a User-Agent */
  struct ba_request_options options;
  int *unaccepted;
  char **final_codes, **code_paths;
};

bool ba_request_check_url(const char *url, struct ba_error *err);
void ba_request_delete_like(struct ba_request *request); /* one that has a base */

/* ---- stream.c ----------------------------------------------------------- */

/* Both directions of a call that is fed or read while it runs. LOCK. */
struct ba_stream {
  struct ba_buffer in;  /* arrived, not yet read */
  bool in_paused;       /* libcurl waits until the reader takes */
  struct ba_buffer out; /* written, not yet sent */
  size_t out_taken;     /* of `out`, by libcurl */
  bool out_ended, out_paused, out_full, out_failed;
  bool restart; /* the producer must begin again, and has not been told */
  struct ba_error out_error;
};

unsigned ba_stream_news_locked(const struct ba_call *call);
/* I/O: what a read callback answers; what a write callback has. */
size_t ba_stream_take(struct ba_call *call, char *out, size_t size);
bool ba_stream_give(struct ba_call *call, const char *bytes, size_t length, struct ba_error *err);
void ba_stream_restart(struct ba_call *call);

/* ---- sink.c ------------------------------------------------------------- */

enum { BA_REFUSAL_BYTES = 1 << 20 }; /* of an answer of 300 and above that are kept */

struct ba_sink {            /* I/O */
  struct ba_buffer body;    /* memory, and every error answer */
  int fd;                   /* file; -1: not open */
  char *part;               /* NAME.part; NULL: the target is written in place */
  uint64_t done;            /* bytes of the body that are in the file, or were streamed */
  uint64_t skip;            /* stream: bytes of a repeated answer the reader has already */
  int64_t expected;         /* whole length, if a former attempt told; -1 */
  char *validator;          /* of the answer that `done` counts bytes of */
  bool begun;               /* this attempt's first body byte was handled */
  bool to_memory;           /* this attempt's answer goes to memory whatever the sink */
  bool overflowed;          /* an error answer's body was cut at the cap, or cannot be read */
  bool looks;               /* this attempt's first byte tells whether the text is packed */
  struct ba_unpack *unpack; /* this attempt's body is packed */
  size_t taken;             /* of the bytes that libcurl will give again, when it was paused */
  const char *piece;        /* unpacked, not yet given on */
  size_t piece_length;
  size_t put;     /* of those that will be given again, how many a pipe has already */
  double blocked; /* since when the pipe has no room; 0: it has */
};

/* ---- call.c ------------------------------------------------------------- */

enum ba_command {
  BA_COMMAND_START = 1,
  BA_COMMAND_CANCEL = 2,
  BA_COMMAND_RESUME = 4, /* a paused direction may go on */
  BA_COMMAND_TOKEN = 8   /* the token function has answered */
};

enum ba_call_state {
  BA_CALL_NEW,
  BA_CALL_WAITS_TOKEN,
  BA_CALL_WAITS_TURN,
  BA_CALL_RUNS,
  BA_CALL_WAITS_RETRY,
  BA_CALL_ENDED
};

/* Where no other is asked for, and the answer goes to memory. */
#define BA_ACCEPT_ENCODING "gzip"

enum ba_shape { BA_SHAPE_OTHER, BA_SHAPE_GET, BA_SHAPE_POST };

struct ba_handle_use {
  uint64_t client;
  enum ba_shape shape;
  bool tls;
  bool home; /* at the client's own origin: its certificate may be shown */
  double connect_timeout;
};

/* Its own headers are at most seven; the rest is for those of the request that
 * may follow a redirect to another origin. */
enum { BA_NODES_MAX = 16 };

struct ba_handle { /* I/O */
  CURL *easy;
  struct ba_call *call;
  struct ba_handle *next; /* of the spare ones */
  CURLSH *pool;           /* of connections of its own; NULL: others' too */
  struct ba_handle_use use;
  char *url;     /* NULL, or what `parsed` is of and the options say */
  CURLU *parsed; /* NULL: none was needed yet */
  char detail[CURL_ERROR_SIZE];
  char issuer[BA_TLS_ISSUER_MAX]; /* of a certificate that was not believed */
  /* of this attempt */
  struct ba_error failure; /* what a callback found */
  uint64_t opened;         /* number of the socket it opened last; 0 */
  int opened_fd;
  struct curl_slist nodes[BA_NODES_MAX]; /* headers, before the request's own */
  unsigned node_count;
  struct ba_buffer auth_line; /* secret */
};

/* One attempt on the wire. I/O. */
struct ba_transfer {
  struct ba_handle *handle;
  curl_mime *mime;
  char range[48]; /* "Range: bytes=N-", "" for the whole */
  char *if_range;
  uint64_t generation; /* of the token it carries */
  bool carries_token;
  bool added;      /* the multi has it */
  bool inspected;  /* what libcurl counted was taken over */
  bool sent;       /* bytes of it may have reached the server */
  bool repeated;   /* a kept connection was dead after bytes went out */
  unsigned begun;  /* how often libcurl was about to send the request */
  int local_port;  /* of the connection it went over then; 0: unknown */
  uint64_t serial; /* of that connection's socket */
  double started, wall;
  uint64_t body_taken; /* bytes of a producer's body that libcurl has */
  uint64_t bytes_sent, bytes_received;
  bool reused;
  int64_t progress; /* bytes both ways when last looked at */
  double progress_at;
};

struct ba_record; /* attempts.c */

struct ba_call {
  uint64_t id;
  struct ba_client *client;
  struct ba_mailbox *mailbox; /* NULL: internal */
  struct ba_request *request;
  double started, deadline; /* monotonic */
  /* Internal calls, in the I/O thread: it is over; it is about to be repeated. */
  void (*ended)(struct ba_call *call, void *user);
  bool (*again)(struct ba_call *call, void *user, struct ba_error *err);
  void *user;
  bool prepared;

  /* LOCK */
  unsigned references;
  unsigned news;
  unsigned commands;
  bool owned; /* the user has not released it */
  bool done, reported;
  bool token_ok;
  struct ba_error *token_error;
  struct ba_call *next_report, *next_command;
  unsigned obeyed; /* I/O: commands taken off the queue, and the list of those */
  struct ba_call *next_obeyed;
  struct ba_stream *stream; /* NULL unless it streams */
  struct ba_record *records, **last_record, *shown_record;
  unsigned record_count;

  /* I/O */
  enum ba_call_state state;
  unsigned fresh_news; /* to be published */
  bool listed;         /* in the list of those */
  struct ba_call *next_fresh;
  struct ba_call *previous, *next; /* all that run */
  struct ba_call *previous_waiting, *next_waiting;
  bool waiting, placed; /* in a limiter's line; holds its places */
  struct ba_token_fetch *fetch;
  struct ba_call *previous_for_token, *next_for_token;
  struct ba_timer timer;
  struct ba_transfer transfer;
  struct ba_head head;
  struct ba_sink sink;
  unsigned attempts, retries;
  bool proves;  /* the credential goes with it */
  bool renewed; /* the 401 of this call was answered with a new token once */
  bool sent;    /* some attempt may have reached the server */
  unsigned redirects;
  char *url;    /* where a redirect led; NULL: the request's */
  bool foreign; /* to another origin than the request's */
  double retry_after;

  /* the outcome */
  struct ba_error *error; /* NULL: none yet, or no memory for one */
  bool ok, retryable, reused;
  double ended_at;
  struct ba_header_view *views;
  size_t view_count, trailer_count, view_room; /* trailers lie behind the headers */
};

struct ba_call *ba_call_make(struct ba_client *client, struct ba_mailbox *mailbox,
                             struct ba_request *request, struct ba_error *err);
void ba_call_drop(struct ba_call *call); /* one reference less */
/* Keeps what went wrong last. Most calls need none: it has a block of its own. */
void ba_call_keep_error(struct ba_call *call, const struct ba_error *error);
const struct ba_error *ba_call_error(const struct ba_call *call); /* of one that failed */
void ba_call_drop_locked(struct ba_call *call, struct ba_call **dead);
void ba_call_free_list(struct ba_call *dead); /* outside the lock */
void ba_call_orphaned_locked(struct ba_call *call, const struct ba_error *why); /* by fork */

/* ---- spares.c ------------------------------------------------------------ */

struct ba_call *ba_spares_take(void); /* zeroed, but for the memory it brings; NULL: none */
bool ba_spares_keep_locked(struct ba_call *call); /* all else of it is freed; false: not wanted */
void ba_spares_free(struct ba_call *call);
void ba_spares_empty(void); /* gives all of them back */

/* ---- flow.c: what a call does next (I/O) -------------------------------- */

void ba_flow_start(struct ba_call *call);
void ba_flow_next(struct ba_call *call);     /* token, turn, attempt */
void ba_flow_admitted(struct ba_call *call); /* its turn has come; it holds its places */
void ba_flow_completed(struct ba_call *call, CURLcode code);
void ba_flow_end(struct ba_call *call, const struct ba_error *error); /* at any state */
void ba_flow_command(struct ba_call *call, unsigned commands);
void ba_flow_look_soon(struct ba_call *call); /* whether its pipe has room; from a callback too */

/* ---- redirect.c (I/O) ---------------------------------------------------- */

/* After an answer that is a redirect: true if the call goes where it points;
 * call->url is set. */
bool ba_redirect_follow(struct ba_call *call);
void ba_redirect_forget(struct ba_call *call); /* back to the request's own URL */
/* ", which points to PLACE: reason" of a redirect that is not followed, else "". */
void ba_redirect_explain(struct ba_call *call, char *out, size_t size);
/* Does the answer send a person to a login page elsewhere? */
bool ba_redirect_to_login(struct ba_call *call);
/* May this header of the request go to another origin? */
bool ba_redirect_header_travels(const char *line);
/* Whether the credential goes with the call's present URL. */
void ba_flow_proves(struct ba_call *call);
/* Is that URL at the client's own origin? */
bool ba_client_at_home(const struct ba_client *client, const char *url);

/* ---- handle.c (I/O) -------------------------------------------------------- */

/* *ready: it is set up for such a request; what differs from call to call
 * (URL, headers, body) is to be set. Not ready: all but the network is. */
struct ba_handle *ba_handle_take(struct ba_call *call, bool *ready, struct ba_error *err);
/* Where its next transfer goes. */
CURLcode ba_handle_address(struct ba_handle *handle, const char *url);
/* False: an option that libcurl did not take (codes may be or-ed), as an error. */
bool ba_handle_refused(CURLcode code, struct ba_error *err);
void ba_handle_give_back(struct ba_handle *handle, bool reset);
void ba_handle_free(struct ba_handle *handle);
void ba_handles_free(void);

/* ---- transfer.c, receive.c, send.c (I/O) -------------------------------- */

const char *ba_call_url(const struct ba_call *call); /* of this attempt */
bool ba_transfer_start(struct ba_call *call, struct ba_error *err);
void ba_transfer_header(struct ba_call *call, const char *line); /* lives as long as the attempt */
/* Takes over what libcurl has counted. */
void ba_transfer_inspect(struct ba_call *call);
/* Takes what libcurl knows about it, removes it from the multi, gives the
 * handle back. Safe if there is none. */
void ba_transfer_stop(struct ba_call *call);
/* Bytes both ways so far. */
int64_t ba_transfer_progress(struct ba_call *call);
/* The request is out and no byte of an answer has come: the server thinks. */
bool ba_transfer_silent(const struct ba_call *call);
bool ba_transfer_paused(struct ba_call *call);
void ba_transfer_resume(struct ba_call *call);
CURLcode ba_receive_setup(struct ba_handle *handle);
/* Body and method; ready: only what differs between requests of one shape. */
CURLcode ba_send_setup(struct ba_call *call, CURL *easy, bool ready);

/* ---- sink.c (I/O) -------------------------------------------------------- */

void ba_sink_init(struct ba_call *call);
bool ba_sink_open(struct ba_call *call, struct ba_error *err);  /* before anything is sent */
void ba_sink_rewind(struct ba_call *call);                      /* before each attempt */
bool ba_sink_begin(struct ba_call *call, struct ba_error *err); /* the first body byte, or none */
bool ba_sink_look(struct ba_call *call, unsigned char first, struct ba_error *err); /* that byte */
bool ba_libcurl_unpacks(const struct ba_request *request); /* as the caller asked; not the core */
bool ba_sink_finish(struct ba_call *call, struct ba_error *err); /* it came whole */
void ba_sink_distrust(struct ba_call *call);                     /* do not continue what is there */
void ba_sink_close(struct ba_call *call); /* at the call's end; keeps what is in memory */
size_t ba_sink_file_write(struct ba_call *call, const char *bytes, size_t length,
                          struct ba_error *err);

/* ---- attempts.c ----------------------------------------------------------- */

void ba_records_free(struct ba_call *call);
/* I/O: keeps what is known of the attempt that has just ended. */
void ba_records_add(struct ba_call *call, const struct ba_error *error, double retry_in);

/* ---- engine.c ------------------------------------------------------------ */

void ba_lock(void);
void ba_unlock(void);

struct ba_engine { /* I/O, but for the first block: LOCK */
  bool running, stop, sleeping, sweep;
  struct ba_call *first_command, *last_command;

  int epoll, wake;
  CURLM *multi;
  CURLSH *shares[BA_VERSIONS]; /* NULL: nobody has asked for it yet */
  struct ba_timers timers;
  double curl_timer; /* < 0: none */
  double now;
  struct ba_call *calls;
  size_t call_count, streaming; /* calls; those of them that stream */
  struct ba_call *fresh;        /* news to publish */
  struct ba_handle *spare;
  unsigned spare_count;
  void *heap_lid;
};
extern struct ba_engine ba_engine;

/* Sees to it that the I/O thread runs; false: it cannot be started. One that is
 * being stopped is waited for, without the lock: what was known before may have
 * changed. */
bool ba_engine_ready_locked(struct ba_error *err);
/* Queues a command for the I/O thread. */
void ba_engine_command_locked(struct ba_call *call, unsigned command);
void ba_engine_sweep(void);        /* clients closed, mailboxes gone: look at every call */
void ba_engine_last_mailbox(void); /* stops and joins the thread */
/* I/O: news to be published before the thread sleeps. */
void ba_engine_news(struct ba_call *call, unsigned news);

/* ---- loop.c (I/O) ---------------------------------------------------------- */

bool ba_loop_open(struct ba_error *err); /* by the thread that starts the I/O thread */
void ba_loop_close(void);
void ba_loop_after_fork(void);
/* What the transfers of clients with this wish have in common; NULL: no memory. */
CURLSH *ba_loop_share(enum ba_version version);
int ba_loop_sleep(double seconds); /* how many descriptors are ready */
void ba_loop_work(int ready);      /* sockets, libcurl's timer, finished transfers */
/* Lets libcurl read from a socket, whether or not it is ready. How many transfers run then. */
int ba_loop_poke(int fd);

#endif
