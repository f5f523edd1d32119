#include "engine/exchange.h"

#include "base/owner.h"
#include "batchapi/clock.h"
#include "engine/flow.h"
#include "wire/request.h"

static const double EXCHANGE_TIMEOUT = 30;
enum { EXCHANGE_BODY_MAX = 1 << 20 };

/* The exchange is over: its answer goes to those who wait. */
static void on_end(struct ba_call *call, void *fetch)
{
  const struct ba_transfer *transfer = &call->transfer;
  const struct ba_token_answer answer = {
      .error = call->ok ? NULL : ba_call_error(call),
      .status = call->ok || transfer->head.status >= 300 ? transfer->head.status : 0,
      .body = transfer->sink.body.bytes ? transfer->sink.body.bytes : "",
      .length = transfer->sink.body.length,
      .date = ba_head_get(&transfer->head, "date"),
      .retryable = call->retryable,
      .retry_after = call->retry_after,
  };
  ba_token_exchanged(fetch, &answer, call->timers->now);
}

/* A signed assertion is good once, even if its first answer was lost: an
 * attempt that is repeated carries a new one. */
static bool sign_anew(struct ba_call *call, void *fetch, struct ba_error *err)
{
  struct ba_exchange next = {0};
  if(!ba_credential_next(ba_token_credential(fetch), (int64_t)ba_wall(), &next, err))
    return false;
  size_t length = next.body.length;
  ba_request_replace_body(call->transfer.request, ba_buffer_take(&next.body, NULL), length);
  ba_exchange_free(&next);
  return true;
}

static const struct ba_own_call discovery = {on_end, NULL}, grant = {on_end, sign_anew};

static struct ba_request *make_request(const struct ba_exchange *next, struct ba_error *err)
{
  struct ba_request_options options;
  struct ba_request *request = ba_request_new(next->method, next->url, err);
  if(!request)
    return NULL;
  ba_request_options_init(&options);
  options.timeout = EXCHANGE_TIMEOUT;
  options.max_body_bytes = EXCHANGE_BODY_MAX;
  options.no_credential = true;
  request->secret_body = true;
  bool ok = ba_request_set_options(request, &options, err) &&
            ba_request_header(request, "Accept", "application/json", 16, err);
  if(ok && next->body.length)
    ok = ba_request_header(request, "Content-Type", "application/x-www-form-urlencoded", 33, err) &&
         ba_request_body(request, next->body.bytes, next->body.length, err);
  if(!ok) {
    ba_request_delete(request);
    return NULL;
  }
  return request;
}

static bool carry(struct ba_token_fetch *fetch, struct ba_token_wait *wait, struct ba_error *err)
{
  struct ba_call *via = BA_OWNER(wait, struct ba_call, wait);
  struct ba_exchange next = {0};
  if(!ba_credential_next(ba_token_credential(fetch), (int64_t)ba_wall(), &next, err))
    return false;
  bool asks_token = next.body.length > 0; /* else discovery */
  struct ba_request *request = make_request(&next, err);
  ba_exchange_free(&next);
  struct ba_call *call = request ? ba_call_make(via->client, NULL, request, err) : NULL;
  if(!call)
    return false;
  if(asks_token)
    ba_count(&via->client->shared->counters.token_requests, 1);
  call->own = asks_token ? &grant : &discovery;
  call->user = fetch;
  ba_flow_start(call, via->timers); /* drops the one reference when it ends */
  return true;
}

void ba_exchanges_begin(void)
{
  ba_token_carried_by(carry);
}
