/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/disk.h"
#include "batchapi/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64], outside[96];

static const char *in(const char *name)
{
  static char path[160];
  snprintf(path, sizeof(path), "%s/%s", directory, name);
  return path;
}

static void put(const char *path, const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fputs(text, file) >= 0, 1);
  assert_int_equal(fclose(file), 0);
}

static unsigned mode_of(const char *path)
{
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  return info.st_mode & 07777;
}

static int set_up(void **state)
{
  (void)state;
  strcpy(directory, "/tmp/batchapi-disk.XXXXXX");
  if(!mkdtemp(directory))
    return -1;
  snprintf(outside, sizeof(outside), "%s.precious", directory);
  put(outside, "precious");
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  char command[160];
  snprintf(command, sizeof(command), "rm -rf '%s' '%s.precious'", directory, directory);
  return system(command);
}

static struct ba_disk *open_it(struct ba_disk_options options, struct ba_error *err)
{
  return ba_disk_open(directory, &options, err);
}

static void expect(bool ok, const struct ba_error *err, const char *code)
{
  assert_false(ok);
  assert_int_equal(err->kind, BA_IO);
  assert_string_equal(err->code, code);
}

static void assert_precious(void)
{
  struct ba_error err;
  struct ba_buffer bytes;
  ba_buffer_init(&bytes, 100);
  assert_true(ba_fs_read(NULL, outside, &bytes, &err));
  assert_string_equal(bytes.bytes, "precious");
  ba_buffer_free(&bytes);
}

static void files_are_made_for_their_owner(void **state)
{
  (void)state;
  struct ba_error err;
  umask(0);
  assert_int_equal(chmod(directory, 0755), 0);
  struct ba_disk *disk = open_it((struct ba_disk_options){0}, &err);
  assert_non_null(disk);
  assert_int_equal(mode_of(directory), 0700);
  assert_true(ba_fs_replace(disk, "a", "text", 4, &err));
  assert_int_equal(mode_of(in("a")), 0600);
  struct ba_buffer names;
  ba_buffer_init(&names, 1000);
  assert_true(ba_fs_list(disk, &names, &err));
  assert_memory_equal(names.bytes, "a\0", names.length);
  ba_buffer_free(&names);
  ba_disk_release(disk);
}

static void a_directory_with_others_files_stays_readable(void **state)
{
  (void)state;
  struct ba_error err;
  put(in("theirs"), "x");
  assert_int_equal(chmod(directory, 0775), 0);
  ba_disk_release(open_it((struct ba_disk_options){.mark = "journal"}, &err));
  assert_int_equal(mode_of(directory), 0755);
  put(in("journal"), "x");
  assert_int_equal(chmod(in("journal"), 0644), 0);
  struct ba_disk *disk = open_it((struct ba_disk_options){.mark = "journal"}, &err);
  assert_int_equal(mode_of(directory), 0700);
  struct ba_file *file = ba_file_open(disk, "journal", BA_FILE_APPEND, &err);
  assert_non_null(file);
  assert_int_equal(mode_of(in("journal")), 0600);
  ba_file_release(file);
  ba_disk_release(disk);
}

static void a_directory_that_others_can_write_to_is_refused(void **state)
{
  (void)state;
  struct ba_error err;
  assert_int_equal(chmod(directory, 01777), 0);
  expect(open_it((struct ba_disk_options){0}, &err), &err, "EPERM");
  expect(open_it((struct ba_disk_options){.group = true}, &err), &err, "EPERM");
  assert_int_equal(chmod(directory, 02770), 0);
  struct ba_disk *disk = open_it((struct ba_disk_options){.group = true}, &err);
  assert_non_null(disk);
  assert_int_equal(mode_of(directory), 02770);
  assert_true(ba_fs_replace(disk, "a", "text", 4, &err));
  assert_int_equal(mode_of(in("a")), 0660);
  ba_disk_release(disk);
}

static void another_users_directory_is_refused(void **state)
{
  (void)state;
  struct ba_error err;
  if(geteuid() != 0)
    skip();
  assert_int_equal(chown(directory, 4711, getegid()), 0);
  expect(open_it((struct ba_disk_options){0}, &err), &err, "EPERM");
  struct ba_disk *disk = open_it((struct ba_disk_options){.group = true}, &err);
  assert_non_null(disk);
  ba_disk_release(disk);
}

static void links_are_refused(void **state)
{
  (void)state;
  struct ba_error err;
  struct ba_buffer bytes;
  long holder;
  ba_buffer_init(&bytes, 100);
  struct ba_disk *disk = open_it((struct ba_disk_options){0}, &err);
  assert_int_equal(symlink(outside, in("link")), 0);
  expect(ba_file_open(disk, "link", BA_FILE_READ, &err), &err, "ELOOP");
  expect(ba_file_open(disk, "link", BA_FILE_WRITE, &err), &err, "ELOOP");
  expect(ba_file_open(disk, "link", BA_FILE_APPEND, &err), &err, "ELOOP");
  expect(ba_file_lock(disk, "link", &holder, &err), &err, "ELOOP");
  expect(ba_fs_truncate(disk, "link", 0, &err), &err, "ELOOP");
  expect(ba_fs_read(disk, "link", &bytes, &err), &err, "ELOOP");
  assert_non_null(strstr(err.message, "link: refused"));
  assert_int_equal(link(outside, in("hard")), 0);
  expect(ba_file_open(disk, "hard", BA_FILE_WRITE, &err), &err, "EMLINK");
  expect(ba_file_open(disk, "hard", BA_FILE_APPEND, &err), &err, "EMLINK");
  expect(ba_file_lock(disk, "hard", &holder, &err), &err, "EMLINK");
  assert_precious();
  ba_disk_release(disk);
  char path[160];
  snprintf(path, sizeof(path), "%s", in("self"));
  assert_int_equal(symlink(directory, path), 0);
  expect(ba_disk_open(path, &(struct ba_disk_options){0}, &err), &err, "ELOOP");
}

static void pipes_and_directories_are_refused(void **state)
{
  (void)state;
  struct ba_error err;
  struct ba_disk *disk = open_it((struct ba_disk_options){0}, &err);
  assert_int_equal(mkfifo(in("pipe"), 0600), 0);
  assert_int_equal(mkdir(in("below"), 0700), 0);
  expect(ba_file_open(disk, "pipe", BA_FILE_READ, &err), &err, "EOPNOTSUPP");
  expect(ba_file_open(disk, "pipe", BA_FILE_WRITE, &err), &err, "EOPNOTSUPP");
  expect(ba_file_open(disk, "below", BA_FILE_READ, &err), &err, "EISDIR");
  expect(ba_file_open(disk, "below", BA_FILE_WRITE, &err), &err, "EISDIR");
  ba_disk_release(disk);
}

static void names_are_one_word(void **state)
{
  (void)state;
  struct ba_error err;
  struct ba_stat info;
  long holder;
  static const char *const names[] = {"", ".", "..", "../x", "a/b", "/etc/passwd"};
  struct ba_disk *disk = open_it((struct ba_disk_options){0}, &err);
  for(size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
    expect(ba_file_open(disk, names[i], BA_FILE_READ, &err), &err, "EINVAL");
    expect(ba_file_lock(disk, names[i], &holder, &err), &err, "EINVAL");
    expect(ba_fs_stat(disk, names[i], &info, &err), &err, "EINVAL");
    expect(ba_fs_unlink(disk, names[i], &err), &err, "EINVAL");
    expect(ba_fs_rename(disk, "a", names[i], &err), &err, "EINVAL");
    expect(ba_fs_rename(disk, names[i], "a", &err), &err, "EINVAL");
    expect(ba_fs_truncate(disk, names[i], 0, &err), &err, "EINVAL");
  }
  ba_disk_release(disk);
}

static void it_is_the_directory_that_was_opened(void **state)
{
  (void)state;
  struct ba_error err;
  char elsewhere[80];
  struct ba_disk *disk = open_it((struct ba_disk_options){0}, &err);
  snprintf(elsewhere, sizeof(elsewhere), "%s.moved", directory);
  assert_int_equal(rename(directory, elsewhere), 0);
  assert_true(ba_fs_replace(disk, "a", "text", 4, &err));
  strcat(elsewhere, "/a");
  assert_int_equal(access(elsewhere, F_OK), 0);
  assert_true(ba_fs_unlink(disk, "a", &err));
  elsewhere[strlen(elsewhere) - 2] = '\0';
  assert_int_equal(rmdir(elsewhere), 0);
  expect(ba_fs_replace(disk, "a", "text", 4, &err), &err, "ENOENT");
  ba_disk_release(disk);
}

int main(void)
{
#define one(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      one(files_are_made_for_their_owner),
      one(a_directory_with_others_files_stays_readable),
      one(a_directory_that_others_can_write_to_is_refused),
      one(another_users_directory_is_refused),
      one(links_are_refused),
      one(pipes_and_directories_are_refused),
      one(names_are_one_word),
      one(it_is_the_directory_that_was_opened),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
