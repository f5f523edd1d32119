/* Limits per minute, over many minutes in no time: the limiter reads the
 * engine's clock and the engine's timers, and here no I/O thread moves them.
 * What the engine does with a call whose turn has come is replaced (CMakeLists
 * wraps ba_flow_admitted). */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "wire/internal.h"

#include <stdlib.h>

enum { CALLS_MAX = 1000 };
static const double STEP = 0.25, MINUTE = 60; /* how exact the limiter is, and its window */

struct entry {
  struct ba_call *call;
  double came, began; /* began < 0: not yet */
  unsigned weight;
};

static struct entry entries[CALLS_MAX];
static int count, wakes;
static int order[CALLS_MAX], begun; /* in which they began */
static struct ba_client *client;

void __wrap_ba_flow_admitted(struct ba_call *call);
void __wrap_ba_flow_admitted(struct ba_call *call)
{
  int i = 0;
  while(i < count && entries[i].call != call)
    i++;
  assert_true(i < count && entries[i].began < 0);
  entries[i].began = ba_engine.now;
  order[begun++] = i;
  ba_limits_leave(call); /* it takes no time */
}

static void begin(unsigned per_minute, double now)
{
  struct ba_client_settings settings = {.proxy = "",
                                        .limits = {{.name = "read", .per_minute = per_minute}}};
  client = ba_client_new(&settings, NULL);
  assert_non_null(client);
  assert_true(ba_timers_reserve(&ba_engine.timers, CALLS_MAX));
  ba_engine.now = now;
  count = begun = wakes = 0;
}

static void end(void)
{
  assert_int_equal(ba_engine.timers.count, 0); /* nobody waits: nothing wakes the thread */
  for(int i = 0; i < count; i++)
    ba_call_drop(entries[i].call);
  ba_client_release(client);
  ba_timers_free(&ba_engine.timers);
}

/* Time passes, and what is due happens at its instant. */
static void pass_until(double at)
{
  struct ba_timers *timers = &ba_engine.timers;
  while(timers->count && timers->heap[1]->at <= at) {
    assert_true(timers->heap[1]->at > ba_engine.now);
    ba_engine.now = timers->heap[1]->at;
    wakes++;
    ba_timers_run(timers, ba_engine.now);
  }
  ba_engine.now = at;
}

static struct ba_call *enters(unsigned weight, bool front)
{
  struct ba_request_options options;
  struct ba_request *request = ba_request_new("GET", "http://nowhere.invalid/", NULL);
  ba_request_options_init(&options);
  options.weights[0] = weight;
  assert_true(request && ba_request_set_options(request, &options, NULL));
  struct ba_call *call = ba_call_make(client, NULL, request, NULL);
  assert_true(call && count < CALLS_MAX);
  entries[count++] =
      (struct entry){.call = call, .came = ba_engine.now, .began = -1, .weight = weight};
  if(ba_limits_enter(call, front))
    __wrap_ba_flow_admitted(call);
  return call;
}

/* What began in [from, from + a minute). */
static unsigned begun_in_minute(double from)
{
  unsigned total = 0;
  for(int i = 0; i < count; i++) {
    double at = entries[i].began;
    if(at >= from && at < from + MINUTE)
      total += entries[i].weight;
  }
  return total;
}

static void assert_no_minute_has_more_than(unsigned per_minute)
{
  for(int i = 0; i < count; i++) {
    if(entries[i].began < 0)
      fail_msg("call %d still waits", i);
    unsigned total = begun_in_minute(entries[i].began);
    if(total > per_minute)
      fail_msg("%u in the minute from %.3f", total, entries[i].began);
  }
}

/* Whoever waited could not have begun a step earlier: either another was to go
 * first, or the minute before that was full. */
static void assert_nobody_waits_in_vain(unsigned per_minute)
{
  for(int i = 0; i < begun; i++) {
    const struct entry *entry = &entries[order[i]];
    double free_from = entry->came;
    if(i && entries[order[i - 1]].began > free_from)
      free_from = entries[order[i - 1]].began;
    double before = entry->began - STEP;
    if(before > free_from && begun_in_minute(before - MINUTE) + entry->weight <= per_minute)
      fail_msg("call %d could have begun at %.3f, not at %.3f", order[i], before, entry->began);
  }
}

static void a_burst_goes_in_portions_a_minute_apart(void **state)
{
  (void)state;
  begin(3, 1000.2);
  for(int i = 0; i < 10; i++)
    enters(1, false);
  assert_int_equal(begun, 3);
  pass_until(2000);
  for(int i = 0; i < 10; i++) {
    assert_int_equal(order[i], i);
    double earliest = 1000.2 + i / 3 * MINUTE;
    assert_true(entries[i].began >= earliest && entries[i].began <= earliest + i / 3 * STEP);
  }
  assert_int_equal(wakes, 3); /* not once more than somebody could go */
  assert_no_minute_has_more_than(3);
  end();
}

/* Wherever in the limiter's own steps a call begins, a whole minute follows. */
static void a_minute_has_sixty_seconds(void **state)
{
  (void)state;
  for(int i = 0; i < 100; i++) {
    double first = 7 + i * 0.01;
    begin(1, first);
    enters(1, false);
    pass_until(first + MINUTE - 0.01);
    enters(1, false);
    assert_int_equal(begun, 1);
    pass_until(first + MINUTE - 0.001);
    assert_int_equal(begun, 1);
    pass_until(first + MINUTE + STEP);
    assert_int_equal(begun, 2);
    end();
  }
}

static double any(double below)
{
  return below * rand() / ((double)RAND_MAX + 1);
}

/* Bursts and single calls of different weights, at any times. */
static void no_minute_has_more_than_its_limit(void **state)
{
  (void)state;
  for(unsigned seed = 1; seed <= 50; seed++) {
    unsigned per_minute = 5 + seed % 40;
    srand(seed);
    begin(per_minute, any(1e6));
    double now = ba_engine.now, last = now + 10 * MINUTE;
    while(now < last && count < 500) {
      for(int burst = rand() % 8 ? 1 : rand() % 40; burst > 0; burst--)
        enters(1 + (unsigned)rand() % 5, false);
      now += any(2.0 * MINUTE * 3 / per_minute);
      pass_until(now);
    }
    pass_until(now + 1000 * MINUTE);
    assert_no_minute_has_more_than(per_minute);
    assert_nobody_waits_in_vain(per_minute);
    end();
  }
}

static void a_repeat_goes_first_and_counts(void **state)
{
  (void)state;
  begin(2, 500);
  enters(1, false);
  enters(1, false);
  enters(1, false);
  enters(1, false);
  enters(1, true);
  pass_until(1000);
  assert_int_equal(order[2], 4);
  assert_int_equal(order[3], 2);
  assert_true(entries[3].began >= 500 + 2 * MINUTE);
  assert_no_minute_has_more_than(2);
  end();
}

static void what_is_above_the_limit_goes_alone(void **state)
{
  (void)state;
  begin(5, 500);
  enters(1, false);
  enters(9, false);
  enters(1, false);
  entries[1].weight = 5; /* as if it were the whole of it */
  pass_until(1000);
  assert_no_minute_has_more_than(5);
  assert_true(entries[1].began >= 500 + MINUTE && entries[2].began >= 500 + 2 * MINUTE);
  end();
}

static void who_leaves_the_line_makes_way(void **state)
{
  (void)state;
  begin(5, 500);
  enters(3, false);
  struct ba_call *first = enters(4, false);
  enters(2, false);
  assert_int_equal(begun, 1);
  pass_until(510);
  ba_limits_abandon(first);
  assert_int_equal(begun, 2);
  assert_true(entries[2].began == 510);
  end();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_burst_goes_in_portions_a_minute_apart),
      cmocka_unit_test(a_minute_has_sixty_seconds),
      cmocka_unit_test(no_minute_has_more_than_its_limit),
      cmocka_unit_test(a_repeat_goes_first_and_counts),
      cmocka_unit_test(what_is_above_the_limit_goes_alone),
      cmocka_unit_test(who_leaves_the_line_makes_way),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
