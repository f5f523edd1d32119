#include "wire/ending.h"

#include "batchapi/json.h"
#include "batchapi/libcurl.h"

#include <string.h>

static bool has_body(const struct ba_call *call)
{
  int status = call->head.status;
  return status != 204 && status != 205 && strcmp(call->request->method, "HEAD") != 0;
}

/* One that waits for its reader holds the connection, also one that is broken. */
static bool is_held(int local_port)
{
  for(struct ba_call *call = ba_engine.streaming ? ba_engine.calls : NULL; call;
      call = call->next) {
    if(call->transfer.local_port == local_port && ba_transfer_paused(call))
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
    running = ba_loop_poke(fd);
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

/* A packed body has its own end mark, which is looked at in any case. */
static bool ends_by_itself(const struct ba_call *call)
{
  curl_off_t came = 0;
  curl_easy_getinfo(call->transfer.handle->easy, CURLINFO_SIZE_DOWNLOAD_T, &came);
  return (call->sink.unpack && came > 0) || (call->sink.to_memory && is_document(&call->sink.body));
}

bool ba_ending_is_known(const struct ba_call *call, struct ba_error *err)
{
  const struct ba_head *head = &call->head;
  if(head->version[0] != '2' || head->length >= 0 || !has_body(call) ||
     ba_curl_has(BA_CURL_HTTP2_ENDINGS) || connection_stays(&call->transfer) ||
     ends_by_itself(call))
    return true;
  return ba_error_set(err, BA_TRUNCATED, "ending",
                      "the connection ended with the answer, which does not say how long it is: "
                      "whether it is whole is not known (libcurl 8.1 and later can tell)");
}
