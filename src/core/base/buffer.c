#include "batchapi/buffer.h"

#include "batchapi/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAPACITY = 240 };

void ba_buffer_init(struct ba_buffer *buffer, size_t cap)
{
  *buffer = (struct ba_buffer){.cap = cap};
}

void ba_buffer_init_secret(struct ba_buffer *buffer, size_t cap)
{
  *buffer = (struct ba_buffer){.cap = cap, .secret = true};
}

static void empty(struct ba_buffer *buffer)
{
  *buffer = (struct ba_buffer){.cap = buffer->cap, .secret = buffer->secret};
}

void ba_buffer_free(struct ba_buffer *buffer)
{
  if(buffer->secret)
    ba_wipe(buffer->bytes, buffer->capacity);
  ba_free(buffer->bytes);
  empty(buffer);
}

void ba_buffer_wipe(struct ba_buffer *buffer)
{
  ba_wipe(buffer->bytes, buffer->capacity);
  ba_buffer_free(buffer);
}

void ba_buffer_renew(struct ba_buffer *buffer, size_t cap)
{
  *buffer = (struct ba_buffer){.bytes = buffer->bytes, .capacity = buffer->capacity, .cap = cap};
  ba_buffer_clear(buffer);
}

void ba_buffer_clear(struct ba_buffer *buffer)
{
  if(buffer->secret)
    ba_wipe(buffer->bytes, buffer->length);
  buffer->length = 0;
  if(buffer->bytes)
    buffer->bytes[0] = '\0';
}

/* realloc() would leave the old block behind as it is: a secret moves by hand. */
static char *resize(struct ba_buffer *buffer, size_t capacity)
{
  if(!buffer->secret)
    return ba_realloc(buffer->bytes, capacity + 1);
  char *bytes = ba_secret_malloc(capacity + 1);
  if(bytes && buffer->bytes) {
    memcpy(bytes, buffer->bytes, buffer->length);
    ba_wipe_free(buffer->bytes, buffer->capacity);
  }
  return bytes;
}

bool ba_buffer_reserve(struct ba_buffer *buffer, size_t more, struct ba_error *err)
{
  if(more > buffer->cap - buffer->length)
    return ba_error_set(err, BA_TOO_LARGE, NULL, "more than %zu bytes", buffer->cap);
  size_t needed = buffer->length + more;
  if(buffer->bytes && needed <= buffer->capacity)
    return true;
  size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
  while(capacity < needed)
    capacity = capacity < buffer->cap / 2 ? capacity * 2 : buffer->cap;
  if(capacity > buffer->cap)
    capacity = buffer->cap;
  char *bytes = resize(buffer, capacity);
  if(!bytes)
    return ba_error_nomem(err);
  buffer->bytes = bytes;
  buffer->capacity = capacity;
  buffer->bytes[buffer->length] = '\0';
  return true;
}

bool ba_buffer_append(struct ba_buffer *buffer, const void *bytes, size_t length,
                      struct ba_error *err)
{
  if(!ba_buffer_reserve(buffer, length, err))
    return false;
  if(length)
    memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length += length;
  buffer->bytes[buffer->length] = '\0';
  return true;
}

bool ba_buffer_puts(struct ba_buffer *buffer, const char *text, struct ba_error *err)
{
  return ba_buffer_append(buffer, text, strlen(text), err);
}

bool ba_buffer_printf(struct ba_buffer *buffer, struct ba_error *err, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  bool ok = length >= 0 ? ba_buffer_reserve(buffer, (size_t)length, err)
                        : ba_error_set(err, BA_INVALID, NULL, "a text that cannot be formatted");
  if(ok) {
    vsnprintf(buffer->bytes + buffer->length, (size_t)length + 1, format, again);
    buffer->length += (size_t)length;
  }
  va_end(again);
  return ok;
}

char *ba_buffer_take(struct ba_buffer *buffer, size_t *length)
{
  char *bytes = buffer->bytes;
  if(length)
    *length = buffer->length;
  empty(buffer);
  return bytes;
}
