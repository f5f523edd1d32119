/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/alloc.h"
#include "batchapi/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t add(struct ba_ledger *ledger, const char *id)
{
  uint32_t other = 0;
  return ba_ledger_add(ledger, id, id ? strlen(id) : 0, false, &other, NULL);
}

static void numbers_and_finds_many(void **state)
{
  (void)state;
  struct ba_ledger *ledger = ba_ledger_new(7, 64, NULL);
  char id[32];
  for(uint32_t i = 1; i <= 50000; i++) {
    snprintf(id, sizeof id, "request-%u", i);
    assert_int_equal(add(ledger, id), i);
  }
  for(uint32_t i = 1; i <= 50000; i++) {
    snprintf(id, sizeof id, "request-%u", i);
    assert_int_equal(ba_ledger_find(ledger, id, strlen(id)), i);
  }
  assert_int_equal(ba_ledger_find(ledger, "request-0", 9), 0);
  assert_int_equal(ba_ledger_find(ledger, "", 0), 0);
  uint32_t other = 0;
  assert_int_equal(ba_ledger_add(ledger, "request-77", 10, false, &other, NULL), 0);
  assert_int_equal(other, 77);
  assert_int_equal(ba_ledger_count(ledger), 50000);
  ba_ledger_delete(ledger);
}

static void keeps_states_places_and_tallies(void **state)
{
  (void)state;
  struct ba_ledger *ledger = ba_ledger_new(0, 64, NULL);
  for(int i = 0; i < 1000; i++)
    add(ledger, NULL);
  assert_int_equal(ba_ledger_tally(ledger, 0), 1000);
  ba_ledger_set(ledger, 400, 2);
  ba_ledger_set(ledger, 900, 2);
  ba_ledger_set(ledger, 900, 1);
  ba_ledger_put(ledger, 400, UINT64_C(1) << 40);
  assert_int_equal(ba_ledger_tally(ledger, 0), 998);
  assert_int_equal(ba_ledger_tally(ledger, 1), 1);
  assert_int_equal(ba_ledger_tally(ledger, 2), 1);
  assert_true(ba_ledger_place(ledger, 400) == UINT64_C(1) << 40);
  assert_int_equal(ba_ledger_next(ledger, 1, 2), 400);
  assert_int_equal(ba_ledger_next(ledger, 401, 2), 0);
  assert_int_equal(ba_ledger_next(ledger, 400, 0), 401);
  assert_int_equal(ba_ledger_next(ledger, 1001, 0), 0);
  ba_ledger_delete(ledger);
}

/* With a narrow hash different ids meet: the first stays the one found. */
static void reports_a_collision_and_can_be_told_to_enter(void **state)
{
  (void)state;
  struct ba_ledger *ledger = ba_ledger_new(1, 4, NULL);
  char id[16];
  uint32_t other = 0;
  uint32_t number = 0;
  int entered = 0;
  for(int i = 0; i < 40 && !other; i++) {
    snprintf(id, sizeof id, "id-%d", i);
    number = ba_ledger_add(ledger, id, strlen(id), false, &other, NULL);
    entered += number != 0;
  }
  assert_int_equal(number, 0);
  assert_in_range(other, 1, entered);
  uint32_t first = other;
  number = ba_ledger_add(ledger, id, strlen(id), true, &other, NULL);
  assert_int_equal(number, entered + 1);
  assert_int_equal(ba_ledger_find(ledger, id, strlen(id)), first);
  ba_ledger_delete(ledger);
}

struct failing {
  int left;
};

static void *resize(void *user, void *block, size_t size)
{
  struct failing *failing = user;
  if(size == 0) {
    free(block);
    return NULL;
  }
  if(failing->left-- == 0)
    return NULL;
  return realloc(block, size);
}

/* Each allocation fails in turn; what was entered before stays right. */
static void survives_no_memory(void **state)
{
  (void)state;
  for(int n = 0; n < 40; n++) {
    struct failing failing = {n};
    ba_alloc_hook(&(struct ba_allocator){resize, &failing});
    struct ba_error err = {0};
    struct ba_ledger *ledger = ba_ledger_new(3, 64, &err);
    uint32_t entered = 0;
    char id[16];
    for(int i = 1; ledger && i <= 5000; i++) {
      uint32_t other = 0;
      snprintf(id, sizeof id, "id-%d", i);
      if(!ba_ledger_add(ledger, id, strlen(id), false, &other, &err))
        break;
      entered++;
    }
    if(entered < 5000)
      assert_int_equal(err.kind, BA_NOMEM);
    for(uint32_t i = 1; ledger && i <= entered; i++) {
      snprintf(id, sizeof id, "id-%u", i);
      assert_int_equal(ba_ledger_find(ledger, id, strlen(id)), i);
    }
    ba_ledger_delete(ledger);
    ba_alloc_hook(NULL);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_and_finds_many),
      cmocka_unit_test(keeps_states_places_and_tallies),
      cmocka_unit_test(reports_a_collision_and_can_be_told_to_enter),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
