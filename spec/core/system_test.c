/* The two ways of each system's room, whichever is built in. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/after.h"
#include "batchapi/clock.h"
#include "system/poller.h"
#include "system/system.h"
#include "system/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_readable(int fd, int milliseconds)
{
  struct pollfd entry = {.fd = fd, .events = POLLIN};
  return poll(&entry, 1, milliseconds) == 1;
}

static void errno_values_have_their_names(void **state)
{
  (void)state;
  int named = 0;
  for(int number = 1; number < 256; number++) {
    const char *name = ba_errno_name(number);
    if(name)
      assert_string_equal(name, strerrorname_np(number));
    named += name != NULL;
  }
  assert_true(named > 80);
  assert_string_equal(ba_errno_name(ENOENT), "ENOENT");
  assert_string_equal(ba_errno_name(ENOSPC), "ENOSPC");
  assert_null(ba_errno_name(0));
  assert_null(ba_errno_name(-1));
}

static void bytes_are_found_in_bytes(void **state)
{
  (void)state;
  static const char text[] = "aab\0aaab";
  assert_ptr_equal(ba_find_bytes(text, 8, "aab", 3), text);
  assert_ptr_equal(ba_find_bytes(text, 8, "aaab", 4), text + 4);
  assert_ptr_equal(ba_find_bytes(text, 8, "\0a", 2), text + 3);
  assert_ptr_equal(ba_find_bytes(text, 8, "b", 1), text + 2);
  assert_ptr_equal(ba_find_bytes(text, 8, "", 0), text);
  assert_null(ba_find_bytes(text, 7, "aaab", 4));
  assert_null(ba_find_bytes(text, 2, "aab", 3));
  assert_null(ba_find_bytes(text, 0, "a", 1));
}

static void a_wake_is_readable_until_it_is_quieted(void **state)
{
  (void)state;
  struct ba_wake wake;
  assert_int_equal(ba_wake_open(&wake), 0);
  assert_false(is_readable(wake.fd, 0));
  for(int i = 0; i < 40000; i++) /* more than a pipe holds: it does not block */
    ba_wake_ring(wake.bell);
  assert_true(is_readable(wake.fd, 0));
  ba_wake_quiet(&wake);
  assert_false(is_readable(wake.fd, 0));
  ba_wake_quiet(&wake); /* of nothing */
  ba_wake_ring(wake.bell);
  assert_true(is_readable(wake.fd, 0));
  assert_true(fcntl(wake.fd, F_GETFD) & FD_CLOEXEC);
  assert_true(fcntl(wake.bell, F_GETFD) & FD_CLOEXEC);
  ba_wake_close(&wake);
  assert_int_equal(wake.fd, -1);
}

/* Which of two descriptors are ready, one bit for each of three events. */
static unsigned look(int fd, double seconds)
{
  unsigned found = 0, events;
  int count = ba_poller_wait(seconds);
  for(int i = 0; i < count; i++) {
    if(ba_poller_ready(i, &events) == fd)
      found |= events;
  }
  return found;
}

static void the_poller_tells_what_it_was_asked_for(void **state)
{
  (void)state;
  int pair[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  assert_int_equal(ba_poller_open(), 0);
  assert_int_equal(ba_poller_change(pair[0], BA_POLL_READ), ENOENT);
  assert_int_equal(ba_poller_add(pair[0], BA_POLL_READ), 0);
  assert_int_equal(ba_poller_add(pair[0], BA_POLL_READ), EEXIST);
  double before = ba_now();
  assert_int_equal(look(pair[0], 0.02), 0);
  assert_true(ba_now() - before >= 0.019);
  assert_int_equal(write(pair[1], "x", 1), 1);
  assert_int_equal(look(pair[0], 5), BA_POLL_READ);
  assert_int_equal(look(pair[0], 5), BA_POLL_READ); /* as long as it is so */
  assert_int_equal(ba_poller_change(pair[0], BA_POLL_READ | BA_POLL_WRITE), 0);
  assert_int_equal(look(pair[0], 5), BA_POLL_READ | BA_POLL_WRITE);
  ba_poller_remove(pair[0]);
  ba_poller_remove(pair[0]);
  assert_int_equal(ba_poller_wait(0), 0);
  assert_int_equal(ba_poller_add(pair[0], 0), 0);
  close(pair[1]);
  assert_true(look(pair[0], 5) & BA_POLL_FAILED); /* told without being asked for */
  ba_poller_closing(pair[0]);
  close(pair[0]);
  assert_int_equal(ba_poller_wait(0), 0);
  ba_poller_close();
}

/* More than are told at once, and more than the first room. */
static void the_poller_comes_to_all_of_many(void **state)
{
  (void)state;
  enum { PIPES = 400 };
  static int ends[PIPES][2];
  static bool seen[4096];
  unsigned events;
  int found = 0;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
  setrlimit(RLIMIT_NOFILE, &limit);
  assert_int_equal(ba_poller_open(), 0);
  for(int i = 0; i < PIPES; i++) {
    assert_int_equal(pipe(ends[i]), 0);
    assert_int_equal(ba_poller_add(ends[i][0], BA_POLL_READ), 0);
    assert_int_equal(write(ends[i][1], "x", 1), 1);
  }
  for(int turn = 0; turn < 2 * PIPES && found < PIPES; turn++) {
    int count = ba_poller_wait(0);
    assert_true(count > 0);
    for(int i = 0; i < count; i++) {
      int fd = ba_poller_ready(i, &events);
      found += !seen[fd];
      seen[fd] = true;
    }
  }
  assert_int_equal(found, PIPES);
  for(int i = 0; i < PIPES; i++) {
    ba_poller_closing(ends[i][0]);
    close(ends[i][0]);
    close(ends[i][1]);
  }
  assert_int_equal(ba_poller_wait(0), 0);
  ba_poller_close();
}

static void what_comes_after_a_time_comes_once(void **state)
{
  (void)state;
  double before = ba_now();
  int late = ba_after(1000), soon = ba_after(0.05), sooner = ba_after(0);
  assert_true(late >= 0 && soon >= 0 && sooner >= 0);
  assert_true(is_readable(sooner, 5000));
  assert_true(is_readable(soon, 5000));
  assert_true(ba_now() - before >= 0.049);
  assert_true(ba_now() - before < 4);
  assert_true(ba_after_expired(soon));
  assert_false(ba_after_expired(late));
  assert_false(is_readable(late, 0));
  ba_after_close(late);
  ba_after_close(soon);
  ba_after_close(sooner);
  int again = ba_after(0.01);
  assert_true(is_readable(again, 5000));
  ba_after_close(again);
}

static void what_comes_after_a_time_comes_in_a_child_too(void **state)
{
  (void)state;
  int earlier = ba_after(0.05), status = -1;
  pid_t child = fork();
  if(child == 0) {
    int own = ba_after(0.01);
    _exit(is_readable(own, 5000) && is_readable(earlier, 5000) ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  ba_after_close(earlier);
}

static void a_lock_is_the_open_files_own(void **state)
{
  (void)state;
  char path[] = "/tmp/batchapi-system.XXXXXX";
  int first = mkstemp(path), second = open(path, O_RDWR);
  assert_int_equal(ba_lock_file(first), 0);
  assert_int_equal(ba_lock_file(first), 0);
  assert_int_equal(ba_lock_file(second), EAGAIN);
  close(open(path, O_RDWR)); /* another of the file's descriptors */
  assert_int_equal(ba_lock_file(second), EAGAIN);
  close(first);
  assert_int_equal(ba_lock_file(second), 0);
  close(second);
  unlink(path);
}

static void no_program_inherits_a_socket(void **state)
{
  (void)state;
  int waits = ba_socket(AF_UNIX, SOCK_STREAM, 0, true);
  int other = ba_socket(AF_UNIX, SOCK_STREAM, 0, false);
  assert_true(fcntl(waits, F_GETFD) & FD_CLOEXEC);
  assert_true(fcntl(other, F_GETFD) & FD_CLOEXEC);
  assert_false(fcntl(waits, F_GETFL) & O_NONBLOCK);
  assert_true(fcntl(other, F_GETFL) & O_NONBLOCK);
  close(waits);
  close(other);
  assert_int_equal(ba_socket(-1, SOCK_STREAM, 0, false), -1);
  assert_int_equal(errno, EAFNOSUPPORT);
}

static void a_condition_is_waited_for_with_a_bound(void **state)
{
  (void)state;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition;
  ba_condition_init(&condition);
  pthread_mutex_lock(&mutex);
  double before = ba_now();
  while(ba_condition_wait(&condition, &mutex, 0.03)) {
  }
  assert_true(ba_now() - before >= 0.029);
  assert_false(ba_condition_wait(&condition, &mutex, -1));
  pthread_mutex_unlock(&mutex);
  pthread_cond_destroy(&condition);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(errno_values_have_their_names),
      cmocka_unit_test(bytes_are_found_in_bytes),
      cmocka_unit_test(a_wake_is_readable_until_it_is_quieted),
      cmocka_unit_test(the_poller_tells_what_it_was_asked_for),
      cmocka_unit_test(the_poller_comes_to_all_of_many),
      cmocka_unit_test(what_comes_after_a_time_comes_once),
      cmocka_unit_test(what_comes_after_a_time_comes_in_a_child_too),
      cmocka_unit_test(a_lock_is_the_open_files_own),
      cmocka_unit_test(no_program_inherits_a_socket),
      cmocka_unit_test(a_condition_is_waited_for_with_a_bound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
