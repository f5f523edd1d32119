#include "wire/ending.h"

#include "batchapi/json.h"
#include "batchapi/libcurl.h"
#include "wire/handle.h"
#include "wire/multi.h"
#include "wire/sockets.h"

#include <string.h>

static bool has_body(const struct ba_transfer *transfer)
{
  int status = transfer->head.status;
  return status != 204 && status != 205 && strcmp(transfer->request->method, "HEAD") != 0;
}

static struct ba_transfer *streaming; /* I/O: attempts whose reader may be slow */

void ba_ending_watch(struct ba_transfer *transfer)
{
  transfer->previous_streaming = NULL;
  transfer->next_streaming = streaming;
  if(streaming)
    streaming->previous_streaming = transfer;
  streaming = transfer;
}

void ba_ending_unwatch(struct ba_transfer *transfer)
{
  if(transfer->previous_streaming)
    transfer->previous_streaming->next_streaming = transfer->next_streaming;
  else
    streaming = transfer->next_streaming;
  if(transfer->next_streaming)
    transfer->next_streaming->previous_streaming = transfer->previous_streaming;
}

void ba_endings_in_child(void)
{
  streaming = NULL;
}

/* One that waits for its reader holds the connection, also one that is broken. */
static bool is_held(int local_port)
{
  for(const struct ba_transfer *other = streaming; other; other = other->next_streaming) {
    if(other->local_port == local_port && ba_stream_is_paused(other->stream))
      return true;
  }
  return false;
}

static bool is_open(const struct ba_transfer *transfer)
{
  return transfer->serial && ba_ports_serial(transfer->local_port) == transfer->serial;
}

/* A connection whose session has broken off is closed with the last of its
 * calls. The others learn of it one by one, when libcurl next reads for them. */
static bool connection_stays(const struct ba_transfer *transfer)
{
  if(!is_open(transfer) || is_held(transfer->local_port))
    return false;
  int fd = ba_ports_socket(transfer->local_port);
  for(int before = -1, running; is_open(transfer); before = running) {
    running = ba_multi_poke(fd);
    if(running == before)
      return true;
  }
  return false;
}

static bool is_document(const struct ba_buffer *body)
{
  struct ba_json_scanner scanner;
  struct ba_buffer scratch;
  enum ba_json_token token;
  size_t blank = body->length ? strspn(body->bytes, " \t\r\n") : 0;
  if(blank >= body->length || !strchr("{[", body->bytes[blank]))
    return false; /* of a number what is left is one, too */
  ba_buffer_init_secret(&scratch, BA_JSON_MAX_BYTES);
  ba_json_scanner_init(&scanner, body->bytes, body->length, BA_JSON_MAX_DEPTH, &scratch);
  do
    token = ba_json_next(&scanner);
  while(token > BA_JSON_END);
  ba_buffer_free(&scratch);
  return token == BA_JSON_END;
}

/* A packed body has its own end mark, which is looked at in any case. The first
 * of many lines is a document, too. */
static bool ends_by_itself(const struct ba_transfer *transfer)
{
  bool is_json = !transfer->request->options.raw || transfer->head.status >= 300;
  curl_off_t came = 0;
  curl_easy_getinfo(transfer->handle->easy, CURLINFO_SIZE_DOWNLOAD_T, &came);
  return (transfer->sink.unpack && came > 0) ||
         (is_json && transfer->sink.to_memory && is_document(&transfer->sink.body));
}

bool ba_ending_is_known(const struct ba_transfer *transfer, struct ba_error *err)
{
  const struct ba_head *head = &transfer->head;
  if(head->version[0] != '2' || head->length >= 0 || !has_body(transfer) ||
     ba_curl_has(BA_CURL_HTTP2_ENDINGS) || connection_stays(transfer) || ends_by_itself(transfer))
    return true;
  return ba_error_set(err, BA_TRUNCATED, "ending",
                      "the connection ended with the answer, which does not say how long it is: "
                      "whether it is whole is not known (libcurl 8.1 and later can tell)");
}
