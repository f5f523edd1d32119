#include "base/vault.h"

#include "batchapi/alloc.h"
#include "system/pages.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

enum { GRAIN = 64, GRAINS = BA_VAULT_BYTES / GRAIN };

/* Set once, before there are threads. */
static unsigned char *vault;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char taken[GRAINS]; /* 1: part of a block */
static uint16_t lengths[GRAINS];    /* of the block that begins there, in grains */
static size_t grains_taken, lowest; /* no grain below `lowest` is free */

void ba_vault_before_fork(void)
{
  pthread_mutex_lock(&lock);
}

void ba_vault_after_fork(void)
{
  pthread_mutex_unlock(&lock);
}

void ba_vault_open(void)
{
  if(vault)
    return;
  /* the first secrets lie at its beginning */
  void *pages = ba_pages_take(BA_VAULT_BYTES, BA_VAULT_BLOCK_MAX / 2);
  if(!pages)
    return;
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

size_t ba_vault_used(void)
{
  pthread_mutex_lock(&lock);
  size_t used = grains_taken * GRAIN;
  pthread_mutex_unlock(&lock);
  return used;
}
