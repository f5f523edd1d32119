#include "watch.h"

#include "batchapi/alloc.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 8, SECRETS = 64, SECRET_SIZE = 8192 };

struct block {
  struct block *next; /* of those that are gone */
  size_t size;
  max_align_t bytes[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  char bytes[SECRETS][SECRET_SIZE];
  size_t lengths[SECRETS];
  size_t count;
  struct block *gone; /* unless it was all zeros */
  size_t freed, alive;
  long fail_at;
  bool failed;
} watch;

static void give_up(const char *why)
{
  fprintf(stderr, "watch: %s\n", why);
  abort();
}

/* Kept until the end: some secrets are only known after blocks are gone that
 * held them, such as an assertion and what it was put together from. */
static void keep(struct block *block)
{
  const char *bytes = (const char *)block->bytes;
  watch.freed++;
  watch.alive--;
  if(block->size < WINDOW || (bytes[0] == 0 && memcmp(bytes, bytes + 1, block->size - 1) == 0)) {
    free(block);
    return;
  }
  block->next = watch.gone;
  watch.gone = block;
}

static bool must_fail(void)
{
  if(watch.fail_at < 0 || watch.fail_at-- != 0)
    return false;
  watch.failed = true;
  return true;
}

static void *resize(void *user, void *old, size_t size)
{
  (void)user;
  struct block *block = old ? (struct block *)((char *)old - offsetof(struct block, bytes)) : NULL;
  struct block *made = NULL;
  pthread_mutex_lock(&lock);
  bool fails = size > 0 && must_fail();
  if(!fails && size > 0) {
    made = calloc(1, sizeof(*made) + size);
    if(!made)
      give_up("no memory");
    made->size = size;
    watch.alive++;
    if(block)
      memcpy(made->bytes, block->bytes, block->size < size ? block->size : size);
  }
  if(!fails && block)
    keep(block);
  pthread_mutex_unlock(&lock);
  return made ? made->bytes : NULL;
}

static void forget(void)
{
  while(watch.gone) {
    struct block *block = watch.gone;
    watch.gone = block->next;
    free(block);
  }
  memset(&watch, 0, sizeof(watch));
  watch.fail_at = -1;
}

void watch_start(void)
{
  static const struct ba_allocator allocator = {resize, NULL};
  forget();
  ba_alloc_hook(&allocator);
}

void watch_stop(void)
{
  ba_alloc_hook(NULL);
  forget();
}

void watch_fail_at(long number)
{
  pthread_mutex_lock(&lock);
  watch.fail_at = number;
  watch.failed = false;
  pthread_mutex_unlock(&lock);
}

bool watch_has_failed(void)
{
  return watch.failed;
}

void watch_for_bytes(const char *secret, size_t length)
{
  if(watch.count == SECRETS || length > SECRET_SIZE || length < WINDOW)
    give_up("too many secrets, or one too long or too short");
  memcpy(watch.bytes[watch.count], secret, length);
  watch.lengths[watch.count++] = length;
}

static int value_of(char c)
{
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const char *at = c ? strchr(alphabet, c) : NULL;
  return at ? (int)(at - alphabet) : -1;
}

size_t watch_decode(const char *text, size_t length, char *out, size_t size)
{
  uint32_t bits = 0;
  unsigned have = 0;
  size_t used = 0;
  for(size_t i = 0; i < length; i++) {
    int value = value_of(text[i]);
    if(value < 0 || used == size)
      return 0;
    bits = bits << 6 | (uint32_t)value;
    have += 6;
    if(have >= 8) {
      have -= 8;
      out[used++] = (char)(bits >> have & 0xFF);
    }
  }
  return used;
}

void watch_for(const char *secret)
{
  char decoded[SECRET_SIZE];
  size_t length = strlen(secret);
  watch_for_bytes(secret, length);
  size_t size = watch_decode(secret, length, decoded, sizeof(decoded));
  if(size >= WINDOW)
    watch_for_bytes(decoded, size);
}

static bool holds_secret(const struct block *block)
{
  for(size_t i = 0; i < watch.count; i++) {
    for(size_t at = 0; at + WINDOW <= watch.lengths[i]; at += WINDOW) {
      if(memmem(block->bytes, block->size, watch.bytes[i] + at, WINDOW))
        return true;
    }
  }
  return false;
}

size_t watch_found(void)
{
  size_t found = 0;
  pthread_mutex_lock(&lock);
  for(struct block *block = watch.gone; block; block = block->next)
    found += holds_secret(block);
  pthread_mutex_unlock(&lock);
  return found;
}

size_t watch_freed(void)
{
  return watch.freed;
}

size_t watch_alive(void)
{
  pthread_mutex_lock(&lock);
  size_t alive = watch.alive;
  pthread_mutex_unlock(&lock);
  return alive;
}
