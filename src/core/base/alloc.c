#include "batchapi/alloc.h"

#include "base/vault.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *system_resize(void *user, void *block, size_t size)
{
  (void)user;
  if(size == 0) {
    free(block);
    return NULL;
  }
  return realloc(block, size);
}

static struct ba_allocator current = {system_resize, NULL};

void ba_alloc_hook(const struct ba_allocator *allocator)
{
  static const struct ba_allocator plain = {system_resize, NULL};
  current = allocator ? *allocator : plain;
}

void *ba_malloc(size_t size)
{
  return current.resize(current.user, NULL, size ? size : 1);
}

void *ba_calloc(size_t count, size_t size)
{
  if(size && count > SIZE_MAX / size)
    return NULL;
  void *block = ba_malloc(count * size);
  if(block)
    memset(block, 0, count * size);
  return block;
}

/* It stays a secret: by hand, and the old block is wiped. */
static void *resize_secret(void *block, size_t size)
{
  size_t before = ba_vault_room(block);
  void *larger = ba_secret_malloc(size);
  if(larger) {
    memcpy(larger, block, size < before ? size : before);
    ba_vault_give_back(block);
  }
  return larger;
}

void *ba_realloc(void *block, size_t size)
{
  if(ba_vault_owns(block))
    return resize_secret(block, size);
  return current.resize(current.user, block, size ? size : 1);
}

void ba_free(void *block)
{
  if(ba_vault_owns(block))
    ba_vault_give_back(block);
  else if(block)
    current.resize(current.user, block, 0);
}

void *ba_secret_malloc(size_t size)
{
  void *block = current.resize == system_resize ? ba_vault_take(size) : NULL;
  return block ? block : ba_malloc(size);
}

char *ba_strndup(const char *text, size_t length)
{
  char *copy = ba_malloc(length + 1);
  if(copy) {
    memcpy(copy, text, length);
    copy[length] = '\0';
  }
  return copy;
}

char *ba_strdup(const char *text)
{
  return ba_strndup(text, strlen(text));
}

void ba_wipe_free(void *block, size_t size)
{
  ba_wipe(block, size);
  ba_free(block);
}
