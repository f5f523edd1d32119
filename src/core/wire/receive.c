/* libcurl's callbacks for what comes in. No Lua, no blocking; what goes wrong
 * is kept in the transfer and libcurl is told to stop. */
#include "wire/receive.h"

#include "crypto/tls.h"
#include "wire/sockets.h"
#include "wire/transfer_state.h"

/* Of the connection it is on at this moment; NULL: it is on none, or in clear. */
static void *ssl_of(const struct ba_handle *handle)
{
  struct curl_tlssessioninfo *session = NULL;
  curl_easy_getinfo(handle->easy, CURLINFO_TLS_SSL_PTR, &session);
  return session ? session->internals : NULL;
}

static bool is_http2(const struct ba_handle *handle)
{
  return handle->use.tls ? ba_tls_speaks_http2(ssl_of(handle))
                         : handle->transfer->network->http_version == BA_VERSION_2;
}

/* libcurl believes a server of HTTP/1.1 that writes "HTTP/2 200", and from then
 * on sends the requests of several calls at once over each connection to it:
 * one's answer is then taken for another's. */
static bool is_honest(struct ba_handle *handle)
{
  const char *version = handle->transfer->head.version;
  return version[0] == '1' || is_http2(handle) ||
         ba_error_set(&handle->failure, BA_DECODE, "version",
                      "the server says HTTP/%s on a connection of HTTP/1.1", version);
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
  struct ba_handle *handle = user;
  struct ba_head *head = &handle->transfer->head;
  size_t length = size * count;
  if(!ba_head_line(head, line, length, &handle->failure))
    return 0;
  bool begins = head->status && head->count == 0;
  return !begins || is_honest(handle) ? length : 0;
}

/* The text of a refusal is for people and for a code in it. It is searched for
 * secrets by the I/O thread, so there is a bound to it that no option moves. */
static size_t refusal_to_memory(struct ba_transfer *transfer, const char *bytes, size_t length)
{
  struct ba_sink *sink = &transfer->sink;
  size_t most = sink->body.cap < BA_REFUSAL_BYTES ? sink->body.cap : BA_REFUSAL_BYTES;
  size_t room = most - sink->body.length;
  sink->overflowed = length > room; /* the status says enough: it is cut here */
  struct ba_error *failure = &transfer->handle->failure;
  bool ok = ba_buffer_append(&sink->body, bytes, length < room ? length : room, failure);
  return ok && !sink->overflowed ? length : 0;
}

static size_t to_memory(struct ba_transfer *transfer, const char *bytes, size_t length)
{
  struct ba_sink *sink = &transfer->sink;
  struct ba_error *failure = &transfer->handle->failure;
  struct ba_error err = {0};
  if(transfer->head.status >= 300)
    return refusal_to_memory(transfer, bytes, length);
  if(ba_buffer_append(&sink->body, bytes, length, &err))
    return length;
  if(err.kind == BA_TOO_LARGE) {
    ba_error_set(failure, BA_TOO_LARGE, NULL, "the answer is larger than %zu bytes",
                 sink->body.cap);
  } else {
    *failure = err;
  }
  return 0;
}

static size_t to_stream(struct ba_transfer *transfer, const char *bytes, size_t length)
{
  struct ba_sink *sink = &transfer->sink;
  size_t known = sink->skip < length ? (size_t)sink->skip : length;
  if(known < length) {
    struct ba_error err = {0};
    if(!ba_stream_give(transfer->stream, bytes + known, length - known, &err)) {
      if(err.kind == BA_OK)
        return CURL_WRITEFUNC_PAUSE;
      transfer->handle->failure = err;
      return 0;
    }
  }
  sink->skip -= known;
  sink->done += length - known;
  return length;
}

/* The body's bytes as they are meant. */
static size_t deliver(struct ba_transfer *transfer, const char *bytes, size_t length)
{
  if(transfer->sink.to_memory)
    return to_memory(transfer, bytes, length);
  if(transfer->request->sink == BA_SINK_STREAM)
    return to_stream(transfer, bytes, length);
  size_t put = ba_sink_file_write(&transfer->sink, bytes, length, &transfer->handle->failure);
  if(put != BA_SINK_FULL)
    return put;
  transfer->blocked(transfer);
  return CURL_WRITEFUNC_PAUSE;
}

/* The next piece of what is unpacked. False: failed, or there is none. */
static bool next_piece(struct ba_transfer *transfer)
{
  struct ba_sink *sink = &transfer->sink;
  struct ba_error err = {0};
  if(sink->piece_length)
    return true;
  if(ba_unpack_next(sink->unpack, &sink->piece, &sink->piece_length, &err))
    return sink->piece_length > 0;
  if(transfer->head.status >= 300 && err.kind == BA_DECODE)
    sink->overflowed = true; /* the status says enough */
  else
    transfer->handle->failure = err;
  return false;
}

/* A packed body. Paused, libcurl gives the same bytes again. */
static size_t unpack(struct ba_transfer *transfer, const char *bytes, size_t length)
{
  struct ba_sink *sink = &transfer->sink;
  size_t known = sink->taken < length ? sink->taken : length;
  ba_unpack_feed(sink->unpack, bytes + known, length - known);
  while(next_piece(transfer)) {
    size_t done = deliver(transfer, sink->piece, sink->piece_length);
    if(done == CURL_WRITEFUNC_PAUSE) {
      size_t taken = length - ba_unpack_left(sink->unpack);
      if(taken > sink->taken)
        sink->taken = taken;
      return done;
    }
    if(done != sink->piece_length)
      return 0;
    sink->piece_length = 0;
  }
  sink->taken -= known;
  return sink->overflowed || transfer->handle->failure.kind != BA_OK ? 0 : length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
  struct ba_transfer *transfer = ((struct ba_handle *)user)->transfer;
  size_t length = size * count;
  struct ba_error *failure = &transfer->handle->failure;
  if(!ba_sink_begin(&transfer->sink, failure) ||
     (transfer->sink.looks && length &&
      !ba_sink_look(&transfer->sink, (unsigned char)*bytes, failure)))
    return 0;
  return transfer->sink.unpack ? unpack(transfer, bytes, length) : deliver(transfer, bytes, length);
}

/* Nobody else may be on a connection of HTTP/1.1. In clear libcurl knows that;
 * with TLS, where both may be spoken, it believes the server: see above. Who
 * came before may have ended without our knowing, and then is on none. */
static bool takes_connection(struct ba_handle *handle, int local_port)
{
  handle->transfer->local_port = local_port > 0 ? local_port : 0;
  ba_ports_note(&handle->opened, local_port);
  handle->transfer->serial = ba_ports_serial(local_port);
  if(!handle->use.tls || is_http2(handle))
    return true;
  struct ba_handle **user = ba_ports_user(local_port);
  bool alone = !user || !*user || ssl_of(*user) != ssl_of(handle);
  if(user && alone)
    *user = handle;
  return alone ||
         ba_error_set(&handle->failure, BA_DECODE, "version",
                      "the server has said HTTP/2 on a connection of HTTP/1.1, which is in use");
}

/* Runs each time libcurl is about to send the request. When a kept connection
 * turns out to be dead, libcurl sends it again on its own; if bytes had gone
 * out, that is a second attempt, and whether there may be one is decided in
 * flow.c, where it is counted. */
static int on_request(void *user, char *remote, char *local, int remote_port, int local_port)
{
  struct ba_handle *handle = user;
  struct ba_transfer *transfer = handle->transfer;
  long sent = 0;
  (void)remote;
  (void)local;
  (void)remote_port;
  transfer->begun++;
  if(!takes_connection(handle, local_port))
    return CURL_PREREQFUNC_ABORT;
  if(transfer->begun == 1)
    return CURL_PREREQFUNC_OK;
  curl_easy_getinfo(handle->easy, CURLINFO_REQUEST_SIZE, &sent);
  if(sent == 0)
    return CURL_PREREQFUNC_OK;
  transfer->repeated = true;
  ba_error_set(&handle->failure, BA_CONNECT, NULL, "the kept connection ended before an answer");
  return CURL_PREREQFUNC_ABORT;
}

/* What the core unpacks itself it knows to be whole; libcurl does not tell. The
 * rest is left to libcurl, if the caller has asked for it. */
static CURLcode set_encoding(const struct ba_transfer *transfer, CURL *easy)
{
  return ba_libcurl_unpacks(transfer->request)
             ? curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, transfer->request->accept_encoding)
             : CURLE_OK;
}

CURLcode ba_receive_setup(struct ba_handle *handle)
{
  CURL *easy = handle->easy;
  CURLcode code = CURLE_OK;
  code |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  code |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, handle);
  code |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  code |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, handle);
  code |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
  code |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, handle);
  /* Refused while the handle has a buffer, which it keeps when its last transfer
   * shared an HTTP/2 connection: then that one serves. */
  if(handle->transfer->request->sink != BA_SINK_MEMORY)
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  return code | set_encoding(handle->transfer, easy);
}
