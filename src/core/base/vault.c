#include "base/vault.h"

#include "batchapi/alloc.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GRAIN = 64, GRAINS = BA_VAULT_BYTES / GRAIN };

/* Set once, before there are threads. */
static unsigned char *vault;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char taken[GRAINS]; /* 1: part of a block */
static uint16_t lengths[GRAINS];    /* of the block that begins there, in grains */
static size_t grains_taken, lowest; /* no grain below `lowest` is free */

static void before_fork(void)
{
  pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
  pthread_mutex_unlock(&lock);
}

/* Not counted as a failure: an unprivileged process may lock little, or nothing. */
static void protect(void *pages)
{
#if defined(MADV_DONTDUMP)
  (void)madvise(pages, BA_VAULT_BYTES, MADV_DONTDUMP);
#elif defined(MADV_NOCORE)
  (void)madvise(pages, BA_VAULT_BYTES, MADV_NOCORE);
#endif
#if defined(MLOCK_ONFAULT)
  if(mlock2(pages, BA_VAULT_BYTES, MLOCK_ONFAULT) == 0)
    return;
#endif
  (void)mlock(pages, BA_VAULT_BLOCK_MAX / 2); /* where the first secrets lie */
}

void ba_vault_open(void)
{
  if(vault)
    return;
  void *pages =
      mmap(NULL, BA_VAULT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if(pages == MAP_FAILED)
    return;
  protect(pages);
  pthread_atfork(before_fork, after_fork, after_fork);
  vault = pages;
}

/* The first run of `count` free grains; GRAINS if there is none. */
static size_t find(size_t count)
{
  size_t at = lowest;
  while(at + count <= GRAINS) {
    const unsigned char *used = memchr(taken + at, 1, count);
    if(!used)
      return at;
    at = (size_t)(used - taken) + lengths[used - taken];
  }
  return GRAINS;
}

void *ba_vault_take(size_t size)
{
  size_t count = (size + GRAIN - 1) / GRAIN;
  if(!vault || size == 0 || size > BA_VAULT_BLOCK_MAX)
    return NULL;
  pthread_mutex_lock(&lock);
  size_t at = find(count);
  if(at < GRAINS) {
    memset(taken + at, 1, count);
    lengths[at] = (uint16_t)count;
    grains_taken += count;
    if(at == lowest)
      lowest = at + count;
  }
  pthread_mutex_unlock(&lock);
  return at < GRAINS ? vault + at * GRAIN : NULL;
}

bool ba_vault_owns(const void *block)
{
  return vault && (uintptr_t)block - (uintptr_t)vault < BA_VAULT_BYTES;
}

static size_t grain_of(const void *block)
{
  return (size_t)((const unsigned char *)block - vault) / GRAIN;
}

size_t ba_vault_room(const void *block)
{
  return (size_t)lengths[grain_of(block)] * GRAIN;
}

void ba_vault_give_back(void *block)
{
  size_t at = grain_of(block), count = lengths[at];
  ba_wipe(block, count * GRAIN);
  pthread_mutex_lock(&lock);
  memset(taken + at, 0, count);
  lengths[at] = 0;
  grains_taken -= count;
  if(at < lowest)
    lowest = at;
  pthread_mutex_unlock(&lock);
}

#if defined(__GLIBC__) && defined(MADV_DONTDUMP) && UINTPTR_MAX > UINT32_MAX
/* glibc gives a thread an arena: a range of 64 MiB, aligned to its size, of which
 * the beginning can be used and the rest is reserved. That it is so is looked up. */
enum { ARENA = 64 << 20 };

static bool is_arena(uintptr_t base)
{
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[512], may[5];
  uintptr_t from, to, expected = base;
  while(maps && expected < base + ARENA && fgets(line, sizeof(line), maps)) {
    if(sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, may) == 3 && from == expected &&
       may[0] == (from == base ? 'r' : '-') && !strchr(line, '['))
      expected = to;
  }
  if(maps)
    fclose(maps);
  return expected == base + ARENA;
}

void ba_vault_hide_heap(void)
{
  void *block = malloc(GRAIN);
  uintptr_t base = (uintptr_t)block & ~(uintptr_t)(ARENA - 1);
  if(block && is_arena(base))
    (void)madvise((void *)base, ARENA, MADV_DONTDUMP);
  free(block);
}
#else
void ba_vault_hide_heap(void)
{
}
#endif

size_t ba_vault_used(void)
{
  pthread_mutex_lock(&lock);
  size_t used = grains_taken * GRAIN;
  pthread_mutex_unlock(&lock);
  return used;
}
