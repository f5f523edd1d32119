/* One attempt on the wire: an easy handle taken from the spare ones, set up,
 * given to the multi, and taken back. */
#include "wire/transfer.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"
#include "wire/ending.h"
#include "wire/handle.h"
#include "wire/multi.h"
#include "wire/receive.h"
#include "wire/redirect.h"
#include "wire/send.h"
#include "wire/sockets.h"

#include <stdio.h>
#include <string.h>

void ba_transfer_init(struct ba_transfer *transfer)
{
  ba_head_init(&transfer->head, transfer->request->options.max_header_bytes);
  ba_sink_init(&transfer->sink, transfer->request, &transfer->head);
}

void ba_transfer_free(struct ba_transfer *transfer)
{
  ba_sink_close(&transfer->sink);
  ba_stream_free(transfer->stream);
  ba_free(transfer->url);
  ba_free(transfer->if_range);
}

/* The credential's header goes with this attempt only, to its own origin only. */
static bool add_credential(struct ba_transfer *transfer, struct ba_error *err)
{
  struct ba_credential *credential = transfer->credential;
  transfer->carries_token = false;
  if(!transfer->proves)
    return true;
  struct ba_buffer *line = &transfer->handle->auth_line;
  if(!ba_credential_line(credential, line, &transfer->generation, err))
    return false;
  transfer->carries_token = line->length > 0;
  if(transfer->carries_token)
    ba_handle_header(transfer->handle, line->bytes);
  return true;
}

/* What is left of a cut-off body is asked for, on the condition that it is
 * still the same body. */
static bool add_range(struct ba_transfer *transfer, struct ba_error *err)
{
  const struct ba_sink *sink = &transfer->sink;
  if(!sink->done || !sink->validator)
    return true;
  size_t size = strlen(sink->validator) + sizeof("If-Range: ");
  ba_free(transfer->if_range);
  transfer->if_range = ba_malloc(size);
  if(!transfer->if_range)
    return ba_error_nomem(err);
  snprintf(transfer->if_range, size, "If-Range: %s", sink->validator);
  snprintf(transfer->range, sizeof(transfer->range), "Range: bytes=%llu-",
           (unsigned long long)sink->done);
  transfer->sink.ranged = true;
  ba_handle_header(transfer->handle, transfer->range);
  ba_handle_header(transfer->handle, transfer->if_range);
  return true;
}

static struct curl_slist *all_headers(struct ba_transfer *transfer)
{
  struct ba_handle *handle = transfer->handle;
  struct curl_slist *own = transfer->request->headers;
  if(transfer->foreign) {
    for(; own; own = own->next) {
      if(ba_redirect_header_travels(own->data) && handle->node_count < BA_NODES_MAX)
        ba_handle_header(transfer->handle, own->data);
    }
  }
  if(!handle->node_count)
    return own;
  handle->nodes[handle->node_count - 1].next = own;
  return handle->nodes;
}

static void begin(struct ba_transfer *transfer, double now)
{
  transfer->begun = 0;
  transfer->sent = transfer->repeated = transfer->reused = false;
  transfer->bytes_sent = transfer->bytes_received = 0;
  ba_stream_begin(transfer->stream);
  transfer->range[0] = '\0';
  transfer->started = transfer->progress_at = now;
  transfer->progress = 0;
  transfer->wall = transfer->request->options.record_attempts ? ba_wall() : 0;
  ba_head_clear(&transfer->head);
  ba_sink_rewind(&transfer->sink);
}

static bool set_up(struct ba_transfer *transfer, struct ba_error *err)
{
  bool ready;
  transfer->handle =
      ba_handle_take(transfer->network, transfer->request, ba_transfer_url(transfer), &ready, err);
  if(transfer->handle)
    transfer->handle->transfer = transfer;
  if(!transfer->handle || !add_credential(transfer, err) || !add_range(transfer, err))
    return false;
  CURL *easy = transfer->handle->easy;
  CURLcode code = ba_handle_address(transfer->handle, ba_transfer_url(transfer));
  code |= ba_send_setup(transfer, transfer->handle, ready);
  if(!ready)
    code |= ba_receive_setup(transfer->handle);
  code |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, all_headers(transfer));
  return code == CURLE_OK || ba_handle_refused(code, err);
}

bool ba_transfer_start(struct ba_transfer *transfer, double now, struct ba_error *err)
{
  begin(transfer, now);
  if(!set_up(transfer, err))
    return false;
  if(curl_multi_add_handle(ba_multi(), transfer->handle->easy) != CURLM_OK)
    return ba_error_nomem(err);
  transfer->added = true;
  if(transfer->stream)
    ba_ending_watch(transfer);
  return true;
}

void ba_transfer_ended(void *handle, int code)
{
  struct ba_transfer *transfer = ((struct ba_handle *)handle)->transfer;
  transfer->result = code;
  transfer->done(transfer);
}

static int64_t number_info(CURL *easy, CURLINFO what)
{
  curl_off_t value = 0;
  curl_easy_getinfo(easy, what, &value);
  return value;
}

static int64_t long_info(CURL *easy, CURLINFO what)
{
  long value = 0;
  curl_easy_getinfo(easy, what, &value);
  return value;
}

int64_t ba_transfer_progress(const struct ba_transfer *transfer)
{
  CURL *easy = transfer->handle->easy;
  return number_info(easy, CURLINFO_SIZE_UPLOAD_T) + number_info(easy, CURLINFO_SIZE_DOWNLOAD_T) +
         long_info(easy, CURLINFO_HEADER_SIZE) + long_info(easy, CURLINFO_REQUEST_SIZE) +
         transfer->begun;
}

/* Has libcurl taken the whole body? Of parts and streams the last bytes may
 * still wait in its buffer. */
static bool body_is_out(const struct ba_transfer *transfer, CURL *easy)
{
  const struct ba_request *request = transfer->request;
  switch(request->body) {
  case BA_BODY_NONE:
    return true;
  case BA_BODY_MEMORY:
  case BA_BODY_FILE:
    return number_info(easy, CURLINFO_SIZE_UPLOAD_T) >= request->source.length;
  case BA_BODY_STREAM:
    return ba_stream_is_out(transfer->stream);
  case BA_BODY_PARTS:
    break;
  }
  return ba_request_is_read(request);
}

bool ba_transfer_silent(const struct ba_transfer *transfer)
{
  CURL *easy = transfer->handle->easy;
  return long_info(easy, CURLINFO_REQUEST_SIZE) > 0 && long_info(easy, CURLINFO_HEADER_SIZE) == 0 &&
         number_info(easy, CURLINFO_SIZE_DOWNLOAD_T) == 0 && body_is_out(transfer, easy);
}

bool ba_transfer_inspect(struct ba_transfer *transfer)
{
  if(!transfer->added || transfer->inspected)
    return false;
  CURL *easy = transfer->handle->easy;
  transfer->inspected = true;
  int64_t request = long_info(easy, CURLINFO_REQUEST_SIZE);
  transfer->bytes_sent = (uint64_t)(request + number_info(easy, CURLINFO_SIZE_UPLOAD_T));
  transfer->bytes_received = (uint64_t)(long_info(easy, CURLINFO_HEADER_SIZE) +
                                        number_info(easy, CURLINFO_SIZE_DOWNLOAD_T));
  transfer->sent = transfer->begun && (request > 0 || transfer->head.status || transfer->repeated);
  transfer->opened = (unsigned)long_info(easy, CURLINFO_NUM_CONNECTS);
  transfer->reused = transfer->begun && transfer->opened == 0;
  return true;
}

void ba_transfer_stop(struct ba_transfer *transfer)
{
  struct ba_handle *handle = transfer->handle;
  if(!handle)
    return;
  if(transfer->added && transfer->stream)
    ba_ending_unwatch(transfer);
  if(transfer->added)
    curl_multi_remove_handle(ba_multi(), handle->easy);
  struct ba_handle **user = ba_ports_user(transfer->local_port);
  if(user && *user == handle)
    *user = NULL;
  transfer->local_port = 0;
  /* Half set up: nobody knows what is missing. */
  ba_handle_give_back(handle, !transfer->added);
  transfer->handle = NULL;
  transfer->added = transfer->inspected = false;
  if(transfer->mime)
    curl_mime_free(transfer->mime);
  transfer->mime = NULL;
}

void ba_transfer_resume(struct ba_transfer *transfer, double now)
{
  if(!transfer->added)
    return;
  ba_stream_resume(transfer->stream);
  transfer->progress_at = now;
  /* what was kept is given to the callbacks in here: what they refuse is lost */
  CURLcode code = curl_easy_pause(transfer->handle->easy, CURLPAUSE_CONT);
  if(code != CURLE_OK)
    ba_transfer_ended(transfer->handle, (int)code);
}

bool ba_transfer_repeats(const struct ba_transfer *transfer)
{
  const struct ba_request *request = transfer->request;
  return request->body != BA_BODY_STREAM || request->restartable ||
         ba_stream_taken(transfer->stream) == 0;
}

bool ba_transfer_each_header(const struct ba_transfer *transfer,
                             bool (*each)(void *user, const char *line, bool secret), void *user)
{
  const struct ba_handle *handle = transfer->handle;
  for(unsigned i = 0; handle && i < handle->node_count; i++) {
    const char *line = handle->nodes[i].data;
    if(!each(user, line, line == handle->auth_line.bytes))
      return false;
  }
  for(struct curl_slist *node = transfer->request->headers; node; node = node->next) {
    if(!each(user, node->data, false))
      return false;
  }
  return true;
}

void ba_transfers_end(void)
{
  ba_handles_free();
}

void ba_transfers_in_child(void)
{
  ba_handles_in_child();
  ba_endings_in_child();
}
