/* One attempt on the wire: an easy handle taken from the spare ones, set up,
 * given to the multi, and taken back. */
#include "internal.h"

#include "alloc.h"
#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const char *ba_call_url(const struct ba_call *call)
{
  return call->url ? call->url : call->request->url;
}

void ba_transfer_header(struct ba_call *call, const char *line)
{
  struct ba_transfer *transfer = &call->transfer;
  struct curl_slist *node = &transfer->nodes[transfer->node_count++];
  node->data = (char *)line; /* libcurl only reads it */
  node->next = NULL;
  if(transfer->node_count > 1)
    transfer->nodes[transfer->node_count - 2].next = node;
}

/* A default CApath switches libcurl's cache of the parsed CA file off: 20 to
 * 37 ms for each new connection. The file alone is enough where it is. */
static bool system_file_is_readable(void)
{
  static int known = -1;
  if(known < 0) {
    const char *path = curl_version_info(CURLVERSION_NOW)->cainfo;
    known = path && access(path, R_OK) == 0;
  }
  return known;
}

static CURLcode set_tls(const struct ba_client *client, CURL *easy)
{
  CURLcode code = CURLE_OK;
  if(client->ca_file)
    code |= curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
  if(client->ca_file || system_file_is_readable())
    code |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  if(client->client_cert)
    code |= curl_easy_setopt(easy, CURLOPT_SSLCERT, client->client_cert);
  if(client->client_key)
    code |= curl_easy_setopt(easy, CURLOPT_SSLKEY, client->client_key);
  /* One connection that multiplexes rather than one per call, where the
   * server can; costs one round trip on the first calls where it cannot. */
  if(client->http_version != CURL_HTTP_VERSION_1_1)
    code |= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  return code;
}

static CURLcode set_network(const struct ba_call *call, CURL *easy)
{
  const struct ba_client *client = call->client;
  const char *url = ba_call_url(call);
  bool tls = strncasecmp(url, "https:", 6) == 0;
  CURLcode code = CURLE_OK;
  code |= curl_easy_setopt(easy, CURLOPT_URL, url);
  code |= curl_easy_setopt(easy, CURLOPT_PROXY, tls ? client->proxy_https : client->proxy_http);
  code |= curl_easy_setopt(easy, CURLOPT_NOPROXY, client->no_proxy);
  code |= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  code |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, client->http_version);
  code |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  if(client->unix_socket)
    code |= curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->unix_socket);
  long wait = (long)(call->request->options.connect_timeout * 1000);
  code |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, wait > 0 ? wait : 1L);
  return tls ? code | set_tls(client, easy) : code;
}

static CURLcode set_common(struct ba_call *call, CURL *easy)
{
  CURLcode code = CURLE_OK;
  code |= curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
  code |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  code |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->transfer.detail);
  code |= curl_easy_setopt(easy, CURLOPT_SHARE, ba_engine.share);
  code |= curl_easy_setopt(easy, CURLOPT_USERAGENT, call->client->user_agent);
  return code | set_network(call, easy);
}

/* The credential's header goes with this attempt only, to its own origin only. */
static bool add_credential(struct ba_call *call, struct ba_error *err)
{
  struct ba_transfer *transfer = &call->transfer;
  struct ba_credential *credential = call->client->credential;
  transfer->carries_token = false;
  if(!call->proves)
    return true;
  ba_buffer_init_secret(&transfer->auth_line, 64 << 10);
  if(!ba_credential_line(credential, &transfer->auth_line, &transfer->generation, err))
    return false;
  transfer->carries_token = transfer->auth_line.length > 0;
  if(transfer->carries_token)
    ba_transfer_header(call, transfer->auth_line.bytes);
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
  struct ba_transfer *transfer = &call->transfer;
  struct curl_slist *own = call->request->headers;
  if(call->foreign) {
    for(; own; own = own->next) {
      if(ba_redirect_header_travels(own->data) && transfer->node_count < BA_NODES_MAX)
        ba_transfer_header(call, own->data);
    }
  }
  if(!transfer->node_count)
    return own;
  transfer->nodes[transfer->node_count - 1].next = own;
  return transfer->nodes;
}

static CURL *take_handle(void)
{
  if(ba_engine.spare_count)
    return ba_engine.spare[--ba_engine.spare_count];
  return curl_easy_init();
}

static void begin(struct ba_call *call)
{
  struct ba_transfer *transfer = &call->transfer;
  transfer->node_count = 0;
  transfer->begun = 0;
  transfer->sent = transfer->repeated = transfer->reused = false;
  transfer->body_taken = transfer->bytes_sent = transfer->bytes_received = 0;
  transfer->failure.kind = BA_OK;
  transfer->detail[0] = '\0';
  transfer->range[0] = '\0';
  transfer->started = transfer->progress_at = ba_engine.now;
  transfer->progress = 0;
  transfer->wall = call->request->options.record_attempts ? ba_wall() : 0;
  ba_head_clear(&call->head);
  ba_sink_rewind(call);
}

bool ba_transfer_start(struct ba_call *call, struct ba_error *err)
{
  struct ba_transfer *transfer = &call->transfer;
  begin(call);
  transfer->easy = take_handle();
  if(!transfer->easy)
    return ba_error_nomem(err);
  if(!add_credential(call, err) || !add_range(call, err) ||
     !ba_send_setup(call, transfer->easy, err))
    return false;
  CURLcode code = set_common(call, transfer->easy) | ba_receive_setup(call, transfer->easy);
  code |= curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, all_headers(call));
  if(code != CURLE_OK)
    return ba_error_nomem(err);
  if(curl_multi_add_handle(ba_engine.multi, transfer->easy) != CURLM_OK)
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
  CURL *easy = call->transfer.easy;
  return number_info(easy, CURLINFO_SIZE_UPLOAD_T) + number_info(easy, CURLINFO_SIZE_DOWNLOAD_T) +
         long_info(easy, CURLINFO_HEADER_SIZE) + long_info(easy, CURLINFO_REQUEST_SIZE) +
         call->transfer.begun;
}

void ba_transfer_inspect(struct ba_call *call)
{
  struct ba_transfer *transfer = &call->transfer;
  struct ba_counters *counters = &call->client->shared->counters;
  if(!transfer->easy || transfer->inspected)
    return;
  transfer->inspected = true;
  int64_t request = long_info(transfer->easy, CURLINFO_REQUEST_SIZE);
  transfer->bytes_sent = (uint64_t)(request + number_info(transfer->easy, CURLINFO_SIZE_UPLOAD_T));
  transfer->bytes_received = (uint64_t)(long_info(transfer->easy, CURLINFO_HEADER_SIZE) +
                                        number_info(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T));
  transfer->sent = transfer->begun && (request > 0 || call->head.status || transfer->repeated);
  int64_t opened = long_info(transfer->easy, CURLINFO_NUM_CONNECTS);
  transfer->reused = transfer->begun && opened == 0;
  call->sent = call->sent || transfer->sent;
  call->reused = transfer->reused;
  ba_count(&counters->connections_opened, (uint64_t)opened);
  ba_count(&counters->connections_reused, transfer->reused);
  ba_count(&counters->bytes_sent, transfer->bytes_sent);
  ba_count(&counters->bytes_received, transfer->bytes_received);
}

static void give_back(CURL *easy)
{
  if(ba_engine.spare_count == sizeof(ba_engine.spare) / sizeof(ba_engine.spare[0])) {
    curl_easy_cleanup(easy);
    return;
  }
  curl_easy_reset(easy); /* its connections and sessions live elsewhere */
  ba_engine.spare[ba_engine.spare_count++] = easy;
}

void ba_transfer_stop(struct ba_call *call)
{
  struct ba_transfer *transfer = &call->transfer;
  if(!transfer->easy)
    return;
  if(transfer->added) {
    ba_transfer_inspect(call);
    curl_multi_remove_handle(ba_engine.multi, transfer->easy);
  }
  CURL *easy = transfer->easy;
  transfer->easy = NULL;
  transfer->added = transfer->inspected = false;
  give_back(easy);
  if(transfer->mime)
    curl_mime_free(transfer->mime);
  transfer->mime = NULL;
  ba_buffer_wipe(&transfer->auth_line);
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
  if(!call->transfer.easy || !call->transfer.added)
    return;
  ba_lock();
  call->stream->in_paused = call->stream->out_paused = false;
  ba_unlock();
  call->transfer.progress_at = ba_engine.now;
  curl_easy_pause(call->transfer.easy, CURLPAUSE_CONT);
}
