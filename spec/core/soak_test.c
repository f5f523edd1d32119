/* Many calls at once against a server that fails one request in five, by a
 * seed: what happens to call n at its k-th attempt is a function of (seed, n,
 * k), so client and server must agree on every single call. Writes the seed;
 * BATCHAPI_SOAK_SEED repeats a run, BATCHAPI_SOAK_CALLS makes it longer. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/alloc.h"
#include "batchapi/batchapi.h"
#include "batchapi/clock.h"
#include "support/run.h"
#include "support/server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { IN_FLIGHT = 64, CALLS_MAX = 1 << 20, RETRIES = 3 };

enum fault { FINE, BUSY, LIMITED, RESET, BODY_CUT, CHUNK_CUT, HEAD_CUT, REFUSED, SLOW, FAULTS };

static uint64_t seed;
static unsigned total;
static atomic_uchar seen[CALLS_MAX];
static atomic_int strangers;

static uint64_t mix(uint64_t value)
{
  value += 0x9E3779B97F4A7C15u;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

static enum fault fault_of(unsigned call, unsigned attempt)
{
  uint64_t bits = mix(seed ^ mix(call * 64 + attempt));
  if(bits % 100 >= 20)
    return FINE;
  return BUSY + (enum fault)((bits >> 32) % (FAULTS - 1));
}

/* GET, POST of bytes, POST of parts; every fifth may be repeated only if it
 * was not accepted. */
static enum ba_repeat class_of(unsigned call)
{
  return call % 5 == 0 ? BA_REPEAT_NEVER_SENT : BA_REPEAT_SAFE;
}

static void misbehave(struct exchange *exchange, enum fault fault)
{
  if(fault == BUSY)
    reply(exchange, 503, "Retry-After-Ms: 1\r\n", "busy");
  else if(fault == LIMITED)
    reply(exchange, 429, "Retry-After-Ms: 1\r\n", "slower");
  else if(fault == REFUSED)
    reply(exchange, 404, "", "none");
  else if(fault == RESET)
    reset(exchange);
  else if(fault == HEAD_CUT)
    send_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n");
  else if(fault == BODY_CUT)
    send_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nETag: \"x\"\r\n\r\nsome");
  else if(fault == CHUNK_CUT)
    send_text(exchange,
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"x\"\r\n\r\n9\r\nso");
  exchange->close = fault == RESET || fault == HEAD_CUT || fault == BODY_CUT || fault == CHUNK_CUT;
}

static void answers(struct exchange *exchange)
{
  unsigned call = (unsigned)atoi(exchange->path + 1);
  if(call >= total || !exchange->whole) {
    atomic_fetch_add(&strangers, 1);
    reply(exchange, 400, "", "");
    return;
  }
  unsigned attempt = atomic_fetch_add(&seen[call], 1);
  enum fault fault = fault_of(call, attempt);
  if(fault != FINE && fault != SLOW) {
    misbehave(exchange, fault);
    return;
  }
  if(fault == SLOW) {
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
  }
  char text[64];
  snprintf(text, sizeof(text), "%u answered at %u", call, attempt + 1);
  reply(exchange, 200, "", text);
}

/* What must become of a call: its attempts, and the last fault. */
static unsigned foresee(unsigned call, enum fault *last)
{
  unsigned attempt = 0;
  for(;;) {
    *last = fault_of(call, attempt++);
    bool once = class_of(call) == BA_REPEAT_NEVER_SENT && *last != LIMITED;
    if(*last == FINE || *last == SLOW || *last == REFUSED || once || attempt > RETRIES)
      return attempt;
  }
}

static enum ba_kind kind_of(enum fault fault)
{
  static const enum ba_kind kinds[FAULTS] = {BA_OK,      BA_HTTP,      BA_RATE_LIMIT,
                                             BA_CONNECT, BA_TRUNCATED, BA_TRUNCATED,
                                             BA_CONNECT, BA_HTTP,      BA_OK};
  return kinds[fault];
}

static struct ba_call *start(struct ba_client *client, struct ba_mailbox *mailbox,
                             struct server *server, unsigned call)
{
  char path[32];
  struct ba_request_options options;
  struct ba_error err = {0};
  snprintf(path, sizeof(path), "/%u", call);
  struct ba_request *request =
      ba_request_new(call % 3 ? "POST" : "GET", server_url(server, path), &err);
  ba_request_options_init(&options);
  options.max_retries = RETRIES;
  options.repeat = class_of(call);
  options.timeout = 120;
  bool ok = request && ba_request_set_options(request, &options, &err);
  if(call % 3 == 1)
    ok = ok && ba_request_body(request, "{\"a\":1}", 7, &err);
  else if(call % 3 == 2)
    ok = ok && ba_request_part(request, "file", "line\n", 5, "f.jsonl", NULL, &err);
  struct ba_call *made = ok ? ba_call_start(client, mailbox, request, &err) : NULL;
  if(!made)
    fail_msg("%s", err.message);
  return made;
}

static void check(struct ba_call *call, unsigned number)
{
  struct ba_outcome out;
  enum fault last;
  char text[64];
  ba_call_outcome(call, &out);
  unsigned attempts = foresee(number, &last);
  snprintf(text, sizeof(text), "%u answered at %u", number, attempts);
  bool right = out.attempts == attempts && out.error->kind == kind_of(last) &&
               seen[number] == attempts && out.elapsed < 120 &&
               (!out.ok || strcmp(out.body, text) == 0);
  if(!right)
    fail_msg("call %u of seed %llu: %s %s, %u attempts (%u seen, %u foreseen), fault %d", number,
             (unsigned long long)seed, ba_kind_name(out.error->kind), out.error->message,
             out.attempts, seen[number], attempts, last);
}

static long resident(void)
{
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if(file && fscanf(file, "%*d %ld", &pages) != 1)
    pages = 0;
  if(file)
    fclose(file);
  return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static atomic_long alive;

static void *counting(void *user, void *block, size_t size)
{
  (void)user;
  if(size == 0) {
    atomic_fetch_sub(&alive, 1);
    free(block);
    return NULL;
  }
  void *got = realloc(block, size);
  if(got && !block)
    atomic_fetch_add(&alive, 1);
  return got;
}

struct flight {
  struct ba_call *calls[IN_FLIGHT];
  unsigned numbers[IN_FLIGHT];
};

/* Returns how many have ended. */
static unsigned collect(struct ba_mailbox *mailbox, struct flight *flight)
{
  uint64_t ids[IN_FLIGHT];
  unsigned ended = 0;
  if(!ba_mailbox_wait(mailbox, 60))
    fail_msg("nothing happens for a minute");
  size_t count = ba_mailbox_drain(mailbox, ids, IN_FLIGHT);
  for(size_t i = 0; i < count; i++) {
    for(unsigned slot = 0; slot < IN_FLIGHT; slot++) {
      struct ba_call *call = flight->calls[slot];
      if(!call || ba_call_id(call) != ids[i] || !(ba_call_news(call) & BA_CALL_DONE))
        continue;
      check(call, flight->numbers[slot]);
      ba_call_release(call);
      flight->calls[slot] = NULL;
      ended++;
    }
  }
  return ended;
}

static void soak(struct server *server)
{
  struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
  struct ba_client_settings settings = {.proxy = "", .max_connections = IN_FLIGHT};
  struct ba_client *client = ba_client_new(&settings, NULL);
  struct flight flight = {0};
  unsigned started = 0, done = 0;
  long warm = 0;
  while(done < total) {
    for(unsigned slot = 0; slot < IN_FLIGHT && started < total; slot++) {
      if(flight.calls[slot])
        continue;
      flight.numbers[slot] = started;
      flight.calls[slot] = start(client, mailbox, server, started++);
    }
    unsigned before = done;
    done += collect(mailbox, &flight);
    if(before < total / 4 && done >= total / 4)
      warm = resident();
  }
  long grown = resident() - warm;
  print_message("seed %llu: %u calls, %u requests, grew by %ld KiB since the first quarter\n",
                (unsigned long long)seed, total, server_requests(server), grown);
  struct ba_client_stats stats;
  ba_client_stats(client, &stats);
  assert_int_equal(stats.requests, total);
  assert_int_equal(stats.attempts, server_requests(server));
  assert_int_equal(stats.succeeded + stats.failed, total);
  assert_int_equal(stats.in_flight + stats.queued, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  assert_true(grown < 2048); /* sanitizers keep what is freed for a while */
#endif
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
}

static void every_call_ends_as_the_server_says(void **state)
{
  (void)state;
  const char *calls = getenv("BATCHAPI_SOAK_CALLS"), *wanted = getenv("BATCHAPI_SOAK_SEED");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  seed = wanted ? strtoull(wanted, NULL, 10) : (uint64_t)now.tv_nsec;
  total = calls ? (unsigned)atoi(calls) : 3000;
  assert_true(total > 0 && total <= CALLS_MAX);
  struct ba_allocator allocator = {counting, NULL};
  ba_alloc_hook(&allocator);
  struct server *server = server_start(answers, NULL);
  soak(server);
  server_stop(server);
  ba_alloc_hook(NULL);
  assert_int_equal(strangers, 0);
  assert_int_equal(alive, 0); /* the core owns nothing any more */
}

static int load(void **state)
{
  (void)state;
  return ba_engine_load(NULL) ? 0 : -1;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_call_ends_as_the_server_says),
  };
  return cmocka_run_group_tests(tests, load, NULL);
}
