#include "wire/classify.h"

#include "http/url.h"
#include "wire/ending.h"
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

static const char *detail(const struct ba_call *call, CURLcode code)
{
  return call->transfer.handle->detail[0] ? call->transfer.handle->detail
                                          : curl_easy_strerror(code);
}

/* The connection ended in the middle of something. */
static bool cut_off(struct ba_call *call, CURLcode code, struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_call_url(call), origin, sizeof(origin));
  if(call->head.status && call->head.closed) {
    ba_error_set(&out->error, BA_TRUNCATED, NULL, "the answer of %s was cut off: %s", origin,
                 detail(call, code));
    return fail(out, BA_RETRY_TRUNCATED, true);
  }
  ba_error_set(&out->error, BA_CONNECT, NULL, "the connection to %s ended before an answer: %s",
               origin, detail(call, code));
  return fail(out, BA_RETRY_RESET, true);
}

static bool not_connected(struct ba_call *call, CURLcode code, struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_call_url(call), origin, sizeof(origin));
  ba_error_set(&out->error, BA_CONNECT, NULL, "no connection to %s: %s", origin,
               detail(call, code));
  return fail(out, BA_RETRY_CONNECT, true);
}

static bool no_tls(struct ba_call *call, CURLcode code, bool transient, struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_call_url(call), origin, sizeof(origin));
  const char *issuer = call->transfer.handle->issuer;
  ba_error_set(&out->error, BA_TLS, NULL, "no trusted TLS connection to %s: %s%s%s%s", origin,
               detail(call, code), *issuer ? " (the certificate was issued by " : "", issuer,
               *issuer ? ")" : "");
  return fail(out, BA_RETRY_TLS, transient);
}

static bool was_cut(const struct ba_call *call)
{
  const struct ba_transfer *transfer = &call->transfer;
  return ba_watchdog_has_cut(transfer->handle->opened, transfer->local_port, transfer->started);
}

/* Not to be repeated: it would do the same again. */
static bool stalled(struct ba_call *call, struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_call_url(call), origin, sizeof(origin));
  ba_error_set(&out->error, BA_TIMEOUT, "stalled",
               "%s sent so much that says nothing that reading it took more than %g s of the "
               "processor; the connection was cut",
               origin, BA_STEP_SECONDS);
  return fail(out, BA_RETRY_TIMEOUT, false);
}

static bool too_slow(struct ba_call *call, struct ba_failure *out)
{
  char origin[256];
  ba_url_origin(ba_call_url(call), origin, sizeof(origin));
  ba_error_set(&out->error, BA_TIMEOUT, NULL, "no connection to %s within %g s (connect_timeout)",
               origin, call->request->options.connect_timeout);
  return fail(out, BA_RETRY_TIMEOUT, true);
}

/* libcurl has bounds of its own for what it reads of a header: 100 kB a line, 300 kB in all. How it
 * says that one was passed differs from version to version: out of memory, a code of its own since
 * 8.6, a failed receive. So what came is looked at. A line that is too long is not seen here; it is
 * the one thing that makes libcurl end on its own account within a header. */
static bool too_much_header(const struct ba_call *call, CURLcode code)
{
  enum { SINCE_8_6 = 100, LINE = 100 << 10, ALL = 300 << 10 };
  bool in_header = call->transfer.begun && !call->head.closed;
  bool nearly_all = call->head.seen > ALL - LINE;
  return in_header && (code == CURLE_OUT_OF_MEMORY || (int)code == SINCE_8_6 ||
                       (code == CURLE_RECV_ERROR && nearly_all));
}

/* Has the process run out of descriptors? libcurl says so of some failures, and
 * of a host name that cannot be resolved, or a CA file, something else. */
static int exhausted(const struct ba_call *call)
{
  long reason = 0;
  curl_easy_getinfo(call->transfer.handle->easy, CURLINFO_OS_ERRNO, &reason);
  if(reason == EMFILE || reason == ENFILE)
    return (int)reason;
  if(call->transfer.begun)
    return 0;
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if(fd < 0)
    return errno == EMFILE || errno == ENFILE ? errno : 0;
  close(fd);
  return 0;
}

static bool no_descriptor(struct ba_call *call, int reason, struct ba_failure *out)
{
  char origin[256], what[300];
  ba_url_origin(ba_call_url(call), origin, sizeof(origin));
  snprintf(what, sizeof(what), "no connection to %s", origin);
  ba_error_errno(&out->error, reason, what);
  return fail(out, BA_RETRY_CONNECT, true);
}

/* The proxy's answer to CONNECT, or a proxy that is not there. */
static bool proxy_failed(struct ba_call *call, CURLcode code, struct ba_failure *out)
{
  long answered = 0;
  curl_easy_getinfo(call->transfer.handle->easy, CURLINFO_HTTP_CONNECTCODE, &answered);
  if(answered < 300 && code != CURLE_COULDNT_RESOLVE_PROXY && code != CURLE_PROXY)
    return false;
  char origin[256];
  ba_url_origin(ba_call_url(call), origin, sizeof(origin));
  const char *name = answered == 407 ? "proxy_auth" : "proxy";
  if(answered >= 300)
    ba_error_set(&out->error, BA_CONNECT, name,
                 "no connection to %s: the proxy answered CONNECT with %ld", origin, answered);
  else
    ba_error_set(&out->error, BA_CONNECT, name, "no connection to %s: %s", origin,
                 detail(call, code));
  fail(out, BA_RETRY_CONNECT, answered == 0 || ba_retry_status((int)answered));
  return true;
}

static bool transport(struct ba_call *call, CURLcode code, struct ba_failure *out)
{
  int reason = exhausted(call);
  if(reason)
    return no_descriptor(call, reason, out);
  if(!call->transfer.begun && proxy_failed(call, code, out))
    return false;
  if(too_much_header(call, code)) {
    ba_error_set(&out->error, BA_TOO_LARGE, NULL,
                 "the answer's header is larger than libcurl takes");
    return fail(out, BA_RETRY_RESET, false);
  }
  switch(code) {
  case CURLE_OUT_OF_MEMORY:
    ba_error_nomem(&out->error);
    return fail(out, BA_RETRY_RESET, false);
  case CURLE_OPERATION_TIMEDOUT:
    return too_slow(call, out);
  case CURLE_SSL_CONNECT_ERROR:
    return no_tls(call, code, true, out);
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_ENGINE_INITFAILED:
    return no_tls(call, code, false, out);
  case CURLE_URL_MALFORMAT:
    ba_error_set(&out->error, BA_INVALID, NULL, "not a usable URL: %s", detail(call, code));
    return fail(out, BA_RETRY_CONNECT, false);
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_WEIRD_SERVER_REPLY:
    ba_error_set(&out->error, BA_DECODE, NULL, "not an HTTP answer that can be read: %s",
                 detail(call, code));
    return fail(out, BA_RETRY_RESET, false);
  default:
    return call->transfer.begun ? cut_off(call, code, out) : not_connected(call, code, out);
  }
}

static void status_message(struct ba_call *call, struct ba_failure *out, enum ba_kind kind)
{
  char origin[256];
  ba_url_origin(ba_call_url(call), origin, sizeof(origin));
  char place[300];
  ba_redirect_explain(call, place, sizeof(place));
  ba_error_set(&out->error, kind, NULL, "%s answered %d%s", origin, call->head.status, place);
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
static void read_code(struct ba_call *call, struct ba_failure *out)
{
  const struct ba_request *request = call->request;
  const struct ba_buffer *body = &call->sink.body;
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
static void hide_secrets(struct ba_call *call)
{
  struct ba_buffer *body = &call->sink.body;
  if(call->client->credential && body->length)
    ba_credential_redact(call->client->credential, body->bytes, body->length);
}

static bool by_status(struct ba_call *call, struct ba_failure *out)
{
  hide_secrets(call);
  static const int only_429[] = {429, 0};
  const struct ba_request *request = call->request;
  int status = call->head.status;
  const char *wish = ba_head_get(&call->head, "x-should-retry");
  out->should_retry = !wish                        ? -1
                      : strcmp(wish, "true") == 0  ? 1
                      : strcmp(wish, "false") == 0 ? 0
                                                   : -1;
  out->unaccepted = one_of(request->unaccepted ? request->unaccepted : only_429, status);
  out->transient = ba_retry_status(status) || out->unaccepted;
  out->reason = status == 429 ? BA_RETRY_RATE_LIMIT : BA_RETRY_SERVER;
  bool login = ba_redirect_to_login(call);
  enum ba_kind kind = login || status == 401 || status == 403 ? BA_AUTH
                      : status == 429                         ? BA_RATE_LIMIT
                                                              : BA_HTTP;
  status_message(call, out, kind);
  if(login)
    snprintf(out->error.code, sizeof(out->error.code), "login_redirect");
  read_code(call, out);
  if(status == 416 && call->transfer.range[0]) { /* what we have is of another body */
    ba_sink_distrust(call);
    out->transient = true;
    out->reason = BA_RETRY_TRUNCATED;
  }
  return false;
}

bool ba_classify(struct ba_call *call, CURLcode code, struct ba_failure *out)
{
  *out = (struct ba_failure){.should_retry = -1};
  out->unaccepted = !call->transfer.sent;
  if(code != CURLE_OK && was_cut(call))
    return stalled(call, out);
  if(call->transfer.handle->failure.kind != BA_OK) {
    out->error = call->transfer.handle->failure;
    return fail(out, BA_RETRY_TRUNCATED,
                out->error.kind == BA_TRUNCATED || call->transfer.repeated);
  }
  if(code != CURLE_OK && !(call->sink.overflowed && call->head.status >= 300))
    return transport(call, code, out);
  if(!call->head.closed) /* libcurl takes a head that was cut off for a whole one */
    return cut_off(call, CURLE_GOT_NOTHING, out);
  if(call->head.status < 200 || call->head.status >= 300)
    return by_status(call, out);
  if(ba_ending_is_known(call, &out->error) && ba_sink_finish(call, &out->error))
    return true;
  return fail(out, BA_RETRY_TRUNCATED, out->error.kind == BA_TRUNCATED);
}
