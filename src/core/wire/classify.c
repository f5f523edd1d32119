#include "wire/classify.h"

#include "http/url.h"
#include "wire/ending.h"
#include "wire/handle.h"
#include "wire/redirect.h"
#include "wire/watchdog.h"
#include "json/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool fail(struct ba_failure *out, enum ba_retry_reason reason, bool transient)
{
  out->reason = reason;
  out->transient = transient;
  return false;
}

static const char *detail(const struct ba_transfer *transfer, CURLcode code)
{
  return transfer->handle->detail[0] ? transfer->handle->detail : curl_easy_strerror(code);
}

/* The connection ended in the middle of something. */
static bool cut_off(struct ba_transfer *transfer, CURLcode code, struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_transfer_url(transfer), origin, sizeof(origin));
  if(transfer->head.status && transfer->head.closed) {
    ba_error_set(&out->error, BA_TRUNCATED, NULL, "the answer of %s was cut off: %s", origin,
                 detail(transfer, code));
    return fail(out, BA_RETRY_TRUNCATED, true);
  }
  ba_error_set(&out->error, BA_CONNECT, NULL, "the connection to %s ended before an answer: %s",
               origin, detail(transfer, code));
  return fail(out, BA_RETRY_RESET, true);
}

static bool not_connected(struct ba_transfer *transfer, CURLcode code, struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_transfer_url(transfer), origin, sizeof(origin));
  ba_error_set(&out->error, BA_CONNECT, NULL, "no connection to %s: %s", origin,
               detail(transfer, code));
  return fail(out, BA_RETRY_CONNECT, true);
}

static bool no_tls(struct ba_transfer *transfer, CURLcode code, bool transient,
                   struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_transfer_url(transfer), origin, sizeof(origin));
  const char *issuer = transfer->handle->issuer;
  ba_error_set(&out->error, BA_TLS, NULL, "no trusted TLS connection to %s: %s%s%s%s", origin,
               detail(transfer, code), *issuer ? " (the certificate was issued by " : "", issuer,
               *issuer ? ")" : "");
  return fail(out, BA_RETRY_TLS, transient);
}

static bool was_cut(const struct ba_transfer *transfer)
{
  return ba_watchdog_has_cut(transfer->handle->opened.serial, transfer->local_port,
                             transfer->started);
}

/* Not to be repeated: it would do the same again. */
static bool stalled(struct ba_transfer *transfer, struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_transfer_url(transfer), origin, sizeof(origin));
  ba_error_set(&out->error, BA_TIMEOUT, "stalled",
               "%s sent so much that says nothing that reading it took more than %g s of the "
               "processor; the connection was cut",
               origin, BA_STEP_SECONDS);
  return fail(out, BA_RETRY_TIMEOUT, false);
}

static bool too_slow(struct ba_transfer *transfer, struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_transfer_url(transfer), origin, sizeof(origin));
  ba_error_set(&out->error, BA_TIMEOUT, NULL, "no connection to %s within %g s (connect_timeout)",
               origin, transfer->request->options.connect_timeout);
  return fail(out, BA_RETRY_TIMEOUT, true);
}

/* libcurl has bounds of its own for what it reads of a header: 100 kB a line, 300 kB in all. How it
 * says that one was passed differs from version to version: out of memory, a code of its own since
 * 8.6, a failed receive. So what came is looked at. A line that is too long is not seen here; it is
 * the one thing that makes libcurl end on its own account within a header. */
static bool too_much_header(const struct ba_transfer *transfer, CURLcode code)
{
  enum { SINCE_8_6 = 100, LINE = 100 << 10, ALL = 300 << 10 };
  bool in_header = transfer->begun && !transfer->head.closed;
  bool nearly_all = transfer->head.seen > ALL - LINE;
  return in_header && (code == CURLE_OUT_OF_MEMORY || (int)code == SINCE_8_6 ||
                       (code == CURLE_RECV_ERROR && nearly_all));
}

/* Has the process run out of descriptors? libcurl says so of some failures, and
 * of a host name that cannot be resolved, or a CA file, something else. */
static int exhausted(const struct ba_transfer *transfer)
{
  long reason = 0;
  curl_easy_getinfo(transfer->handle->easy, CURLINFO_OS_ERRNO, &reason);
  if(reason == EMFILE || reason == ENFILE)
    return (int)reason;
  if(transfer->begun)
    return 0;
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if(fd < 0)
    return errno == EMFILE || errno == ENFILE ? errno : 0;
  close(fd);
  return 0;
}

static bool no_descriptor(struct ba_transfer *transfer, int reason, struct ba_failure *out)
{
  char origin[256], what[300];
  ba_url_origin(ba_transfer_url(transfer), origin, sizeof(origin));
  snprintf(what, sizeof(what), "no connection to %s", origin);
  ba_error_errno(&out->error, reason, what);
  return fail(out, BA_RETRY_CONNECT, true);
}

/* The proxy's answer to CONNECT, or a proxy that is not there. */
static bool proxy_failed(struct ba_transfer *transfer, CURLcode code, struct ba_failure *out)
{
  long answered = 0;
  curl_easy_getinfo(transfer->handle->easy, CURLINFO_HTTP_CONNECTCODE, &answered);
  if(answered < 300 && code != CURLE_COULDNT_RESOLVE_PROXY && code != CURLE_PROXY)
    return false;
  char origin[256];
  ba_url_origin(ba_transfer_url(transfer), origin, sizeof(origin));
  const char *name = answered == 407 ? "proxy_auth" : "proxy";
  if(answered >= 300)
    ba_error_set(&out->error, BA_CONNECT, name,
                 "no connection to %s: the proxy answered CONNECT with %ld", origin, answered);
  else
    ba_error_set(&out->error, BA_CONNECT, name, "no connection to %s: %s", origin,
                 detail(transfer, code));
  fail(out, BA_RETRY_CONNECT, answered == 0 || ba_retry_status((int)answered));
  return true;
}

static bool transport(struct ba_transfer *transfer, CURLcode code, struct ba_failure *out)
{
  int reason = exhausted(transfer);
  if(reason)
    return no_descriptor(transfer, reason, out);
  if(!transfer->begun && proxy_failed(transfer, code, out))
    return false;
  if(too_much_header(transfer, code)) {
    ba_error_set(&out->error, BA_TOO_LARGE, NULL,
                 "the answer's header is larger than libcurl takes");
    return fail(out, BA_RETRY_RESET, false);
  }
  switch(code) {
  case CURLE_OUT_OF_MEMORY:
    ba_error_nomem(&out->error);
    return fail(out, BA_RETRY_RESET, false);
  case CURLE_OPERATION_TIMEDOUT:
    return too_slow(transfer, out);
  case CURLE_SSL_CONNECT_ERROR:
    return no_tls(transfer, code, true, out);
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_ENGINE_INITFAILED:
    return no_tls(transfer, code, false, out);
  case CURLE_URL_MALFORMAT:
    ba_error_set(&out->error, BA_INVALID, NULL, "not a usable URL: %s", detail(transfer, code));
    return fail(out, BA_RETRY_CONNECT, false);
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_WEIRD_SERVER_REPLY:
    ba_error_set(&out->error, BA_DECODE, NULL, "not an HTTP answer that can be read: %s",
                 detail(transfer, code));
    return fail(out, BA_RETRY_RESET, false);
  default:
    return transfer->begun ? cut_off(transfer, code, out) : not_connected(transfer, code, out);
  }
}

static void status_message(struct ba_transfer *transfer, struct ba_failure *out, enum ba_kind kind)
{
  char origin[256];
  ba_url_origin(ba_transfer_url(transfer), origin, sizeof(origin));
  char place[300];
  ba_redirect_explain(transfer, place, sizeof(place));
  ba_error_set(&out->error, kind, NULL, "%s answered %d%s", origin, transfer->head.status, place);
}

static bool one_of(const int *list, int status)
{
  for(; list && *list; list++) {
    if(*list == status)
      return true;
  }
  return false;
}

/* The service's own word for what is wrong, and whether a repeat can help. */
static void read_code(struct ba_transfer *transfer, struct ba_failure *out)
{
  const struct ba_request *request = transfer->request;
  const struct ba_buffer *body = &transfer->sink.body;
  char code[BA_ERROR_CODE_MAX];
  if(!body->length)
    return;
  for(char **path = request->code_paths; path && *path; path++) {
    if(!ba_json_string_at(body->bytes, body->length, *path, code, sizeof(code)) || !code[0])
      continue;
    if(!out->error.code[0])
      memcpy(out->error.code, code, sizeof(code));
    for(char **final = request->final_codes; final && *final; final++) {
      if(strcmp(*final, code) != 0)
        continue;
      memcpy(out->error.code, code, sizeof(code));
      out->transient = false;
      out->should_retry = 0;
      if(out->error.kind == BA_RATE_LIMIT)
        out->error.kind = BA_HTTP;
    }
  }
}

/* A server that repeats what it refused would put a secret into a message. */
static void hide_secrets(struct ba_transfer *transfer)
{
  struct ba_buffer *body = &transfer->sink.body;
  if(transfer->credential && body->length)
    ba_credential_redact(transfer->credential, body->bytes, body->length);
}

static bool by_status(struct ba_transfer *transfer, struct ba_failure *out)
{
  hide_secrets(transfer);
  static const int only_429[] = {429, 0};
  const struct ba_request *request = transfer->request;
  int status = transfer->head.status;
  const char *wish = ba_head_get(&transfer->head, "x-should-retry");
  out->should_retry = !wish                        ? -1
                      : strcmp(wish, "true") == 0  ? 1
                      : strcmp(wish, "false") == 0 ? 0
                                                   : -1;
  out->unaccepted = one_of(request->unaccepted ? request->unaccepted : only_429, status);
  out->transient = ba_retry_status(status) || out->unaccepted;
  out->reason = status == 429 ? BA_RETRY_RATE_LIMIT : BA_RETRY_SERVER;
  bool login = ba_redirect_to_login(transfer);
  enum ba_kind kind = login || status == 401 || status == 403 ? BA_AUTH
                      : status == 429                         ? BA_RATE_LIMIT
                                                              : BA_HTTP;
  status_message(transfer, out, kind);
  if(login)
    snprintf(out->error.code, sizeof(out->error.code), "login_redirect");
  read_code(transfer, out);
  if(status == 416 && transfer->range[0]) { /* what we have is of another body */
    ba_sink_distrust(&transfer->sink);
    out->transient = true;
    out->reason = BA_RETRY_TRUNCATED;
  }
  return false;
}

/* Bytes of the body on the wire. */
static int64_t bytes_that_came(const struct ba_transfer *transfer)
{
  curl_off_t came = 0;
  curl_easy_getinfo(transfer->handle->easy, CURLINFO_SIZE_DOWNLOAD_T, &came);
  return came;
}

bool ba_came_through(const struct ba_transfer *transfer)
{
  return transfer->result == CURLE_OK;
}

bool ba_classify(struct ba_transfer *transfer, struct ba_failure *out)
{
  CURLcode code = (CURLcode)transfer->result;
  *out = (struct ba_failure){.should_retry = -1};
  out->unaccepted = !transfer->sent;
  if(code != CURLE_OK && was_cut(transfer))
    return stalled(transfer, out);
  if(transfer->handle->failure.kind != BA_OK) {
    out->error = transfer->handle->failure;
    return fail(out, BA_RETRY_TRUNCATED, out->error.kind == BA_TRUNCATED || transfer->repeated);
  }
  if(code != CURLE_OK && !(transfer->sink.overflowed && transfer->head.status >= 300))
    return transport(transfer, code, out);
  if(!transfer->head.closed) /* libcurl takes a head that was cut off for a whole one */
    return cut_off(transfer, CURLE_GOT_NOTHING, out);
  if(transfer->head.status < 200 || transfer->head.status >= 300)
    return by_status(transfer, out);
  if(ba_ending_is_known(transfer, &out->error) &&
     ba_sink_finish(&transfer->sink, bytes_that_came(transfer), &out->error))
    return true;
  return fail(out, BA_RETRY_TRUNCATED, out->error.kind == BA_TRUNCATED);
}
