/* Memory for secrets: blocks that do not touch, are wiped, and are not dumped. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/vault.h"
#include "batchapi/alloc.h"
#include "batchapi/buffer.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_vault(void **state)
{
  (void)state;
  ba_vault_open();
  return 0;
}

static void a_secrets_block_is_the_vaults_until_it_is_given_back(void **state)
{
  (void)state;
  char *block = ba_secret_malloc(100);
  assert_true(ba_vault_owns(block));
  assert_int_equal(ba_vault_used(), 128);
  memset(block, 's', 100);
  ba_free(block);
  assert_int_equal(ba_vault_used(), 0);
  for(int i = 0; i < 128; i++)
    assert_int_equal(block[i], 0); /* the pages stay */
}

static void what_does_not_fit_is_memory_like_any_other(void **state)
{
  (void)state;
  char *large = ba_secret_malloc(BA_VAULT_BLOCK_MAX + 1);
  assert_non_null(large);
  assert_false(ba_vault_owns(large));
  ba_free(large);
  enum { BLOCKS = BA_VAULT_BYTES / BA_VAULT_BLOCK_MAX };
  char *blocks[BLOCKS + 1];
  for(int i = 0; i <= BLOCKS; i++) {
    blocks[i] = ba_secret_malloc(BA_VAULT_BLOCK_MAX);
    assert_non_null(blocks[i]);
  }
  assert_true(ba_vault_owns(blocks[BLOCKS - 1]));
  assert_false(ba_vault_owns(blocks[BLOCKS]));
  for(int i = 0; i <= BLOCKS; i++)
    ba_free(blocks[i]);
  assert_int_equal(ba_vault_used(), 0);
}

static void a_buffer_that_grows_stays_in_it(void **state)
{
  (void)state;
  struct ba_buffer buffer;
  ba_buffer_init_secret(&buffer, 1 << 20);
  for(int i = 0; i < 4000; i++)
    assert_true(ba_buffer_append(&buffer, "0123456789", 10, NULL));
  assert_true(ba_vault_owns(buffer.bytes));
  for(int i = 0; i < 40000; i += 10)
    assert_memory_equal(buffer.bytes + i, "0123456789", 10);
  char *moved = ba_realloc(ba_buffer_take(&buffer, NULL), 50000);
  assert_true(ba_vault_owns(moved));
  assert_memory_equal(moved, "01234567890", 11);
  ba_free(moved);
  assert_int_equal(ba_vault_used(), 0);
}

/* Blocks of all sizes come and go; each holds what only it was given. */
static void blocks_do_not_touch(void **state)
{
  (void)state;
  enum { BLOCKS = 200, STEPS = 20000 };
  static struct {
    char *bytes;
    size_t size;
  } blocks[BLOCKS];
  unsigned draw = 1, strange = 0;
  for(int step = 0; step < STEPS; step++) {
    draw = draw * 1103515245u + 12345u;
    unsigned i = draw >> 16 & 0xFFFF, at = i % BLOCKS;
    for(size_t k = 0; k < blocks[at].size; k++)
      strange += (unsigned char)blocks[at].bytes[k] != at;
    ba_free(blocks[at].bytes);
    blocks[at].size = 1 + (draw >> 8) % (i % 7 ? 300 : 20000);
    blocks[at].bytes = ba_secret_malloc(blocks[at].size);
    memset(blocks[at].bytes, (int)at, blocks[at].size);
  }
  for(int i = 0; i < BLOCKS; i++)
    ba_free(blocks[i].bytes);
  assert_int_equal(strange, 0);
  assert_int_equal(ba_vault_used(), 0);
}

static void a_child_has_its_own(void **state)
{
  (void)state;
  char *block = ba_secret_malloc(10);
  memcpy(block, "parent's", 9);
  pid_t child = fork();
  if(child == 0) {
    char *mine = ba_secret_malloc(10);
    bool ok = ba_vault_owns(mine) && strcmp(block, "parent's") == 0;
    ba_free(block);
    _exit(ok && ba_vault_used() == 64 ? 0 : 1);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_string_equal(block, "parent's");
  ba_free(block);
}

/* Linux tells what a dump leaves out: "dd" among the flags of a mapping. */
static void no_dump_holds_it(void **state)
{
  (void)state;
  char *block = ba_secret_malloc(10);
  char line[512];
  bool here = false, left_out = false;
  FILE *maps = fopen("/proc/self/smaps", "r");
  if(!maps)
    skip();
  while(fgets(line, sizeof(line), maps)) {
    size_t from, to;
    if(sscanf(line, "%zx-%zx ", &from, &to) == 2)
      here = (size_t)block >= from && (size_t)block < to;
    else if(here && strncmp(line, "VmFlags:", 8) == 0)
      left_out = strstr(line, " dd") != NULL;
  }
  fclose(maps);
  ba_free(block);
  assert_true(left_out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_secrets_block_is_the_vaults_until_it_is_given_back),
      cmocka_unit_test(what_does_not_fit_is_memory_like_any_other),
      cmocka_unit_test(a_buffer_that_grows_stays_in_it),
      cmocka_unit_test(blocks_do_not_touch),
      cmocka_unit_test(a_child_has_its_own),
      cmocka_unit_test(no_dump_holds_it),
  };
  return cmocka_run_group_tests(tests, open_vault, NULL);
}
