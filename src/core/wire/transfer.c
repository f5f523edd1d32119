/* One attempt on the wire: an easy handle taken from the spare ones, set up,
 * given to the multi, and taken back. */
#include "wire/internal.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"

#include <stdio.h>
#include <string.h>

const char *ba_call_url(const struct ba_call *call)
{
  return call->url ? call->url : call->request->url;
}

void ba_transfer_header(struct ba_call *call, const char *line)
{
  struct ba_handle *handle = call->transfer.handle;
  struct curl_slist *node = &handle->nodes[handle->node_count++];
  node->data = (char *)line; /* libcurl only reads it */
  node->next = NULL;
  if(handle->node_count > 1)
    handle->nodes[handle->node_count - 2].next = node;
}

/* The credential's header goes with this attempt only, to its own origin only. */
static bool add_credential(struct ba_call *call, struct ba_error *err)
{
  struct ba_transfer *transfer = &call->transfer;
  struct ba_credential *credential = call->client->credential;
  transfer->carries_token = false;
  if(!call->proves)
    return true;
  struct ba_buffer *line = &transfer->handle->auth_line;
  if(!ba_credential_line(credential, line, &transfer->generation, err))
    return false;
  transfer->carries_token = line->length > 0;
  if(transfer->carries_token)
    ba_transfer_header(call, line->bytes);
  return true;
}

/* What is left of a cut-off body is asked for, on the condition that it is
 * still the same body. */
static bool add_range(struct ba_call *call, struct ba_error *err)
{
  struct ba_transfer *transfer = &call->transfer;
  const struct ba_sink *sink = &call->sink;
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
  ba_transfer_header(call, transfer->range);
  ba_transfer_header(call, transfer->if_range);
  return true;
}

static struct curl_slist *all_headers(struct ba_call *call)
{
  struct ba_handle *handle = call->transfer.handle;
  struct curl_slist *own = call->request->headers;
  if(call->foreign) {
    for(; own; own = own->next) {
      if(ba_redirect_header_travels(own->data) && handle->node_count < BA_NODES_MAX)
        ba_transfer_header(call, own->data);
    }
  }
  if(!handle->node_count)
    return own;
  handle->nodes[handle->node_count - 1].next = own;
  return handle->nodes;
}

static void begin(struct ba_call *call)
{
  struct ba_transfer *transfer = &call->transfer;
  transfer->begun = 0;
  transfer->sent = transfer->repeated = transfer->reused = false;
  transfer->body_taken = transfer->bytes_sent = transfer->bytes_received = 0;
  transfer->range[0] = '\0';
  transfer->started = transfer->progress_at = ba_engine.now;
  transfer->progress = 0;
  transfer->wall = call->request->options.record_attempts ? ba_wall() : 0;
  ba_head_clear(&call->head);
  ba_sink_rewind(call);
}

static bool set_up(struct ba_call *call, struct ba_error *err)
{
  struct ba_transfer *transfer = &call->transfer;
  bool ready;
  transfer->handle = ba_handle_take(call, &ready, err);
  if(!transfer->handle || !add_credential(call, err) || !add_range(call, err))
    return false;
  CURL *easy = transfer->handle->easy;
  CURLcode code = ba_handle_address(transfer->handle, ba_call_url(call));
  code |= ba_send_setup(call, easy, ready);
  if(!ready)
    code |= ba_receive_setup(transfer->handle);
  code |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, all_headers(call));
  return code == CURLE_OK || ba_handle_refused(code, err);
}

bool ba_transfer_start(struct ba_call *call, struct ba_error *err)
{
  struct ba_transfer *transfer = &call->transfer;
  begin(call);
  if(!set_up(call, err))
    return false;
  if(curl_multi_add_handle(ba_engine.multi, transfer->handle->easy) != CURLM_OK)
    return ba_error_nomem(err);
  transfer->added = true;
  return true;
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

int64_t ba_transfer_progress(struct ba_call *call)
{
  CURL *easy = call->transfer.handle->easy;
  return number_info(easy, CURLINFO_SIZE_UPLOAD_T) + number_info(easy, CURLINFO_SIZE_DOWNLOAD_T) +
         long_info(easy, CURLINFO_HEADER_SIZE) + long_info(easy, CURLINFO_REQUEST_SIZE) +
         call->transfer.begun;
}

static bool stream_is_out(const struct ba_call *call)
{
  ba_lock();
  const struct ba_stream *stream = call->stream;
  bool out = stream->out_ended && stream->out_taken == stream->out.length;
  ba_unlock();
  return out;
}

/* Has libcurl taken the whole body? Of parts and streams the last bytes may
 * still wait in its buffer. */
static bool body_is_out(const struct ba_call *call, CURL *easy)
{
  const struct ba_request *request = call->request;
  switch(request->body) {
  case BA_BODY_NONE:
    return true;
  case BA_BODY_MEMORY:
  case BA_BODY_FILE:
    return number_info(easy, CURLINFO_SIZE_UPLOAD_T) >= request->source.length;
  case BA_BODY_STREAM:
    return stream_is_out(call);
  case BA_BODY_PARTS:
    break;
  }
  for(const struct ba_part *part = request->parts; part; part = part->next) {
    if(part->source.offset < part->source.length)
      return false;
  }
  return true;
}

bool ba_transfer_silent(const struct ba_call *call)
{
  CURL *easy = call->transfer.handle->easy;
  return long_info(easy, CURLINFO_REQUEST_SIZE) > 0 && long_info(easy, CURLINFO_HEADER_SIZE) == 0 &&
         number_info(easy, CURLINFO_SIZE_DOWNLOAD_T) == 0 && body_is_out(call, easy);
}

void ba_transfer_inspect(struct ba_call *call)
{
  struct ba_transfer *transfer = &call->transfer;
  struct ba_counters *counters = &call->client->shared->counters;
  if(!transfer->added || transfer->inspected)
    return;
  CURL *easy = transfer->handle->easy;
  transfer->inspected = true;
  int64_t request = long_info(easy, CURLINFO_REQUEST_SIZE);
  transfer->bytes_sent = (uint64_t)(request + number_info(easy, CURLINFO_SIZE_UPLOAD_T));
  transfer->bytes_received = (uint64_t)(long_info(easy, CURLINFO_HEADER_SIZE) +
                                        number_info(easy, CURLINFO_SIZE_DOWNLOAD_T));
  transfer->sent = transfer->begun && (request > 0 || call->head.status || transfer->repeated);
  int64_t opened = long_info(easy, CURLINFO_NUM_CONNECTS);
  transfer->reused = transfer->begun && opened == 0;
  call->sent = call->sent || transfer->sent;
  call->reused = transfer->reused;
  if(opened)
    ba_count(&counters->connections_opened, (uint64_t)opened);
  else
    ba_count(&counters->connections_reused, transfer->reused);
  ba_count(&counters->bytes_sent, transfer->bytes_sent);
  ba_count(&counters->bytes_received, transfer->bytes_received);
}

void ba_transfer_stop(struct ba_call *call)
{
  struct ba_transfer *transfer = &call->transfer;
  struct ba_handle *handle = transfer->handle;
  if(!handle)
    return;
  if(transfer->added) {
    ba_transfer_inspect(call);
    curl_multi_remove_handle(ba_engine.multi, handle->easy);
  }
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

bool ba_transfer_paused(struct ba_call *call)
{
  if(!call->stream)
    return false;
  ba_lock();
  bool paused = call->stream->in_paused || call->stream->out_paused;
  ba_unlock();
  return paused;
}

void ba_transfer_resume(struct ba_call *call)
{
  if(!call->transfer.added)
    return;
  if(call->stream) {
    ba_lock();
    call->stream->in_paused = call->stream->out_paused = false;
    ba_unlock();
  }
  call->transfer.progress_at = ba_engine.now;
  /* what was kept is given to the callbacks in here: what they refuse is lost */
  CURLcode code = curl_easy_pause(call->transfer.handle->easy, CURLPAUSE_CONT);
  if(code != CURLE_OK)
    ba_flow_completed(call, code);
}
