/* Limits per minute, over many minutes in no time: the limiter goes by its
 * timers' clock, which the test moves. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/owner.h"
#include "engine/limiter.h"

#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 1000 };
static const double STEP = 0.25, MINUTE = 60; /* how exact the limiter is, and its window */

struct entry {
  struct ba_ticket ticket;
  unsigned weights[BA_LIMITS_MAX];
  double came, began; /* began < 0: not yet */
  unsigned weight;
};

static struct entry entries[CALLS_MAX];
static int count, wakes;
static int order[CALLS_MAX], begun; /* in which they began */
static struct ba_limits limits;
static struct ba_timers timers;

static void on_turn(struct ba_ticket *ticket)
{
  struct entry *entry = BA_OWNER(ticket, struct entry, ticket);
  assert_true(entry->began < 0);
  entry->began = timers.now;
  order[begun++] = (int)(entry - entries);
  ba_ticket_leave(ticket); /* it takes no time */
}

static void begin(unsigned per_minute, double now)
{
  memset(&limits, 0, sizeof(limits));
  limits.limiters[0].per_minute = per_minute;
  assert_true(ba_timers_reserve(&timers, CALLS_MAX));
  timers.now = now;
  count = begun = wakes = 0;
}

static void end(void)
{
  assert_int_equal(timers.count, 0); /* nobody waits: nothing wakes the thread */
  ba_timers_free(&timers);
}

/* Time passes, and what is due happens at its instant. */
static void pass_until(double at)
{
  while(timers.count && timers.heap[1]->at <= at) {
    assert_true(timers.heap[1]->at > timers.now);
    timers.now = timers.heap[1]->at;
    wakes++;
    ba_timers_run(&timers, timers.now);
  }
  timers.now = at;
}

static struct ba_ticket *enters(unsigned weight, bool front)
{
  assert_true(count < CALLS_MAX);
  struct entry *entry = &entries[count++];
  *entry = (struct entry){.came = timers.now, .began = -1, .weight = weight, .weights = {weight}};
  entry->ticket =
      (struct ba_ticket){&limits, entry->weights, 64, on_turn, NULL, NULL, false, false};
  if(ba_ticket_enter(&entry->ticket, front, &timers))
    on_turn(&entry->ticket);
  return &entry->ticket;
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
    double now = timers.now, last = now + 10 * MINUTE;
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
  struct ba_ticket *first = enters(4, false);
  enters(2, false);
  assert_int_equal(begun, 1);
  pass_until(510);
  ba_ticket_abandon(first);
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
