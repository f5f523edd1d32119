/* One transfer: what is sent for a call, where to, and what came back; one
 * attempt after the other. Shared by the files that carry it (transfer.c,
 * send.c, receive.c), and by those that say what came of it (redirect.c,
 * classify.c). I/O thread only, but for what never changes. */
#ifndef BA_TRANSFER_STATE_H
#define BA_TRANSFER_STATE_H

#include "batchapi/credential.h"
#include "http/headers.h"
#include "wire/network.h"
#include "wire/request.h"
#include "wire/sink.h"
#include "wire/stream.h"

struct ba_handle;
struct curl_mime;

struct ba_transfer {
  /* what its owner says, once */
  const struct ba_network *network;
  struct ba_request *request;
  struct ba_stream *stream;         /* NULL unless it streams */
  struct ba_credential *credential; /* of the client; NULL: none */
  /* The attempt has ended; never called from within a callback of libcurl. */
  void (*done)(struct ba_transfer *transfer);
  /* Its sink has no room: ba_transfer_resume() must be called soon. Within a callback. */
  void (*blocked)(struct ba_transfer *transfer);

  /* where it goes */
  bool proves; /* the credential goes with it */
  char *url;   /* where a redirect led; NULL: the request's */
  unsigned redirects;
  bool foreign; /* to another origin than the request's */

  /* what came */
  struct ba_head head;
  struct ba_sink sink;

  /* this attempt */
  struct ba_handle *handle;
  struct curl_mime *mime;
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
  uint64_t bytes_sent, bytes_received;
  unsigned opened; /* connections that it had to open */
  bool reused;
  int64_t progress; /* bytes both ways when last looked at */
  double progress_at;
  struct ba_transfer *previous_streaming, *next_streaming; /* ending.c */
  int result;                                              /* libcurl's, once it is done */
};

static inline const char *ba_transfer_url(const struct ba_transfer *transfer)
{
  return transfer->url ? transfer->url : transfer->request->url;
}

#endif
