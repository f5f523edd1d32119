/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/batchapi.h"
#include "batchapi/work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECES = 200 };

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int order, discarded;

struct piece {
  int place; /* in which it ran */
  bool fails;
};

static bool run_piece(void *data, struct ba_error *err)
{
  struct piece *piece = data;
  piece->place = atomic_fetch_add(&order, 1);
  return !piece->fails || ba_error_set(err, BA_IO, "EIO", "as was asked");
}

static bool run_at_gate(void *data, struct ba_error *err)
{
  pthread_mutex_lock(&gate);
  pthread_mutex_unlock(&gate);
  return run_piece(data, err);
}

static void discard(void *data)
{
  (void)data; /* the test's */
  atomic_fetch_add(&discarded, 1);
}

static void wait_for(struct ba_mailbox *mailbox, struct ba_work *work)
{
  uint64_t ids[PIECES];
  for(int i = 0; !ba_work_done(work); i++) {
    assert_true(i < 100);
    ba_mailbox_wait(mailbox, 1);
    ba_mailbox_drain(mailbox, ids, PIECES);
  }
}

static void runs_in_order_and_reports_each(void **state)
{
  (void)state;
  struct piece pieces[PIECES] = {{0, false}};
  struct ba_work *work[PIECES];
  uint64_t ids[PIECES];
  struct ba_error err;
  struct ba_mailbox *mailbox = ba_mailbox_new(&err);
  atomic_store(&order, 0);
  atomic_store(&discarded, 0);
  for(int i = 0; i < PIECES; i++) {
    pieces[i].fails = i % 3 == 0;
    work[i] = ba_work_start(mailbox, run_piece, discard, &pieces[i], &err);
    assert_non_null(work[i]);
  }
  size_t reported = 0;
  for(int round = 0; reported < PIECES; round++) {
    assert_true(round < 1000);
    ba_mailbox_wait(mailbox, 1);
    reported += ba_mailbox_drain(mailbox, ids, PIECES);
  }
  for(int i = 0; i < PIECES; i++) {
    assert_true(ba_work_done(work[i]));
    assert_int_equal(pieces[i].place, i);
    assert_int_equal(ba_work_result(work[i], &err), !pieces[i].fails);
    if(pieces[i].fails)
      assert_string_equal(err.message, "as was asked");
    ba_work_release(work[i]);
  }
  assert_false(ba_mailbox_wait(mailbox, 0));
  assert_int_equal(atomic_load(&discarded), PIECES);
  ba_mailbox_delete(mailbox);
}

static void finishes_what_was_released(void **state)
{
  (void)state;
  struct piece pieces[3] = {{0, false}};
  struct ba_error err;
  uint64_t id;
  struct ba_mailbox *mailbox = ba_mailbox_new(&err), *gone = ba_mailbox_new(&err);
  atomic_store(&order, 0);
  pthread_mutex_lock(&gate);
  ba_work_release(ba_work_start(gone, run_at_gate, discard, &pieces[0], &err));
  ba_work_release(ba_work_start(NULL, run_piece, discard, &pieces[1], &err));
  struct ba_work *last = ba_work_start(mailbox, run_piece, discard, &pieces[2], &err);
  assert_false(ba_work_done(last));
  assert_false(ba_work_result(last, &err));
  assert_int_equal(err.kind, BA_MISUSE);
  ba_mailbox_delete(gone);
  pthread_mutex_unlock(&gate);
  wait_for(mailbox, last);
  assert_int_equal(pieces[2].place, 2);
  while(ba_mailbox_drain(mailbox, &id, 1)) {
  }
  ba_work_release(last);
  ba_mailbox_delete(mailbox);
}

static void a_report_can_be_withdrawn(void **state)
{
  (void)state;
  struct piece pieces[2] = {{0, false}};
  struct ba_error err;
  uint64_t ids[4];
  struct ba_mailbox *mailbox = ba_mailbox_new(&err), *other = ba_mailbox_new(&err);
  struct ba_work *first = ba_work_start(mailbox, run_piece, discard, &pieces[0], &err);
  struct ba_work *second = ba_work_start(other, run_piece, discard, &pieces[1], &err);
  wait_for(other, second); /* so the first is done and has reported */
  ba_work_release(first);
  assert_int_equal(ba_mailbox_drain(mailbox, ids, 4), 0);
  ba_work_release(second);
  ba_mailbox_delete(other);
  ba_mailbox_delete(mailbox);
}

/* In the child the piece that was under way ends as closed, and a new one
 * runs. */
static int child(struct ba_mailbox *mailbox, struct ba_work *caught)
{
  struct ba_error err = {0};
  struct piece piece = {0, false};
  uint64_t ids[4];
  if(!ba_work_done(caught) || ba_work_result(caught, &err) || err.kind != BA_CLOSED)
    return 1;
  struct ba_work *work = ba_work_start(mailbox, run_piece, discard, &piece, &err);
  if(!work)
    return 2;
  for(int i = 0; i < 100 && !ba_work_done(work); i++) {
    ba_mailbox_wait(mailbox, 1);
    ba_mailbox_drain(mailbox, ids, 4);
  }
  return ba_work_done(work) && ba_work_result(work, &err) ? 0 : 3;
}

static void a_child_of_fork_has_its_own_thread(void **state)
{
  (void)state;
#ifdef __SANITIZE_THREAD__
  skip(); /* it does not know threads behind a fork */
#endif
  struct piece piece = {0, false};
  struct ba_error err;
  struct ba_mailbox *mailbox = ba_mailbox_new(&err);
  pthread_mutex_lock(&gate);
  struct ba_work *work = ba_work_start(mailbox, run_at_gate, discard, &piece, &err);
  pid_t pid = fork();
  if(pid == 0)
    _exit(child(mailbox, work));
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  pthread_mutex_unlock(&gate);
  wait_for(mailbox, work);
  assert_true(ba_work_result(work, &err));
  ba_work_release(work);
  ba_mailbox_delete(mailbox);
}

/* The thread waits for work in the parent; its child must not wait for it. */
static void a_child_of_fork_is_not_held_by_a_thread_that_waits(void **state)
{
  (void)state;
#if defined(__SANITIZE_THREAD__)
  skip(); /* it does not know threads behind a fork */
#else
  struct ba_error err;
  struct ba_mailbox *mailbox = ba_mailbox_new(&err);
  struct piece piece = {0};
  struct ba_work *work = ba_work_start(mailbox, run_piece, discard, &piece, &err);
  wait_for(mailbox, work);
  ba_work_release(work);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if(pid == 0) {
    alarm(10); /* rather than for ever */
    struct ba_mailbox *own = ba_mailbox_new(&err);
    for(int i = 0; i < PIECES; i++) {
      struct piece one = {0};
      struct ba_work *here = ba_work_start(own, run_piece, discard, &one, &err);
      if(!here)
        _exit(1);
      while(!ba_work_done(here)) {
        uint64_t ids[PIECES];
        ba_mailbox_wait(own, 1);
        ba_mailbox_drain(own, ids, PIECES);
      }
      ba_work_release(here);
    }
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  ba_mailbox_delete(mailbox);
#endif
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(runs_in_order_and_reports_each),
      cmocka_unit_test(finishes_what_was_released),
      cmocka_unit_test(a_report_can_be_withdrawn),
      cmocka_unit_test(a_child_of_fork_has_its_own_thread),
      cmocka_unit_test(a_child_of_fork_is_not_held_by_a_thread_that_waits),
  };
  struct ba_error err;
  if(!ba_engine_load(&err)) /* its fork handlers come before the file thread's */
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
