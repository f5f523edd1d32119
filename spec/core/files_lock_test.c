/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/batchapi-lock.XXXXXX", path[64];
static int removals; /* how often the file still goes between its opening and its lock */

int __real_ba_lock_file(int fd);
int __wrap_ba_lock_file(int fd);

/* Lets another process remove the file at the worst of moments. */
int __wrap_ba_lock_file(int fd)
{
  if(removals > 0) {
    removals--;
    unlink(path);
  }
  return __real_ba_lock_file(fd);
}

static int make_directory(void **state)
{
  (void)state;
  if(!mkdtemp(directory))
    return -1;
  snprintf(path, sizeof(path), "%s/lock", directory);
  return 0;
}

static int remove_directory(void **state)
{
  (void)state;
  unlink(path);
  return rmdir(directory);
}

static void is_held_where_others_look_for_it(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct stat there;
  long holder;
  for(int times = 0; times < 4; times++) {
    removals = times;
    struct ba_file_lock *lock = ba_file_lock(NULL, path, &holder, &err);
    assert_non_null(lock);
    assert_int_equal(removals, 0);
    assert_int_equal(stat(path, &there), 0);
    assert_null(ba_file_lock(NULL, path, &holder, &err));
    assert_int_equal(err.kind, BA_LOCKED);
    assert_int_equal(holder, getpid());
    ba_file_unlock(lock);
  }
}

static void gives_up_on_a_file_that_always_goes(void **state)
{
  (void)state;
  struct ba_error err = {0};
  long holder = 1;
  removals = 1000000;
  assert_null(ba_file_lock(NULL, path, &holder, &err));
  assert_int_equal(err.kind, BA_LOCKED);
  assert_int_equal(holder, 0);
  assert_true(removals > 0);
  removals = 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_held_where_others_look_for_it),
      cmocka_unit_test(gives_up_on_a_file_that_always_goes),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
