#include "batchapi/lines.h"

#include <string.h>

void ba_lines_init(struct ba_lines *lines, size_t max_line)
{
  if(max_line == 0)
    max_line = BA_LINES_DEFAULT_MAX_LINE;
  *lines = (struct ba_lines){.max_line = max_line};
  ba_buffer_init(&lines->buffer, max_line + BA_LINES_MAX_CHUNK);
}

void ba_lines_free(struct ba_lines *lines)
{
  ba_buffer_free(&lines->buffer);
}

/* Moves what is left to the front, where that makes room. */
static void compact(struct ba_lines *lines)
{
  struct ba_buffer *buffer = &lines->buffer;
  if(lines->taken == 0)
    return;
  buffer->length -= lines->taken;
  memmove(buffer->bytes, buffer->bytes + lines->taken, buffer->length);
  buffer->bytes[buffer->length] = '\0';
  lines->searched -= lines->taken;
  lines->taken = 0;
}

char *ba_lines_room(struct ba_lines *lines, size_t size, struct ba_error *err)
{
  struct ba_buffer *buffer = &lines->buffer;
  if(!buffer->bytes || buffer->capacity - buffer->length < size)
    compact(lines);
  return ba_buffer_reserve(buffer, size, err) ? buffer->bytes + buffer->length : NULL;
}

void ba_lines_added(struct ba_lines *lines, size_t length)
{
  lines->buffer.length += length;
  lines->buffer.bytes[lines->buffer.length] = '\0';
}

bool ba_lines_push(struct ba_lines *lines, const void *bytes, size_t length, struct ba_error *err)
{
  char *room = ba_lines_room(lines, length, err);
  if(!room)
    return false;
  memcpy(room, bytes, length);
  ba_lines_added(lines, length);
  return true;
}

bool ba_lines_adopt(struct ba_lines *lines, struct ba_buffer *chunk, struct ba_error *err)
{
  bool ok = true;
  if(lines->taken == lines->buffer.length && chunk->length <= lines->buffer.cap) {
    size_t cap = lines->buffer.cap;
    ba_buffer_free(&lines->buffer);
    lines->buffer = *chunk;
    lines->buffer.cap = cap;
    lines->taken = lines->searched = 0;
    ba_buffer_init(chunk, chunk->cap);
  } else {
    ok = ba_lines_push(lines, chunk->bytes, chunk->length, err);
    ba_buffer_free(chunk);
  }
  return ok;
}

void ba_lines_finish(struct ba_lines *lines)
{
  lines->ended = true;
}

static bool is_blank(const char *line, size_t length)
{
  for(size_t i = 0; i < length; i++) {
    if(line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
      return false;
  }
  return true;
}

void ba_lines_measure(struct ba_lines *lines)
{
  lines->measures = true;
}

static enum ba_line too_long(struct ba_lines *lines, struct ba_error *err)
{
  ba_error_set(err, BA_TOO_LARGE, NULL, "line %llu is longer than %zu bytes (max_line_bytes)",
               (unsigned long long)lines->number + 1, lines->max_line);
  return BA_LINE_FAILED;
}

static void drop(struct ba_lines *lines, size_t length)
{
  lines->offset += length;
  lines->taken += length;
  lines->searched = lines->taken;
}

static void take(struct ba_lines *lines, size_t length)
{
  lines->number++;
  drop(lines, length);
}

/* A line that is too long has been passed over, to its end. */
static enum ba_line measured(struct ba_lines *lines, uint64_t length, struct ba_error *err)
{
  lines->passed = 0;
  ba_error_set(err, BA_TOO_LARGE, NULL, "line %llu has %llu bytes; max_line_bytes allows %zu",
               (unsigned long long)lines->number, (unsigned long long)length, lines->max_line);
  return BA_LINE_FAILED;
}

enum ba_line ba_lines_next(struct ba_lines *lines, const char **line, size_t *length,
                           struct ba_error *err)
{
  struct ba_buffer *buffer = &lines->buffer;
  while(buffer->length > lines->taken) {
    const char *begin = buffer->bytes + lines->taken;
    const char *end =
        memchr(buffer->bytes + lines->searched, '\n', buffer->length - lines->searched);
    if(!end) {
      lines->searched = buffer->length;
      size_t left = buffer->length - lines->taken;
      bool long_one = lines->passed || left > lines->max_line;
      if(long_one && !lines->measures)
        return too_long(lines, err);
      if(long_one && !lines->ended) {
        lines->passed += left;
        drop(lines, left);
      }
      if(!lines->ended)
        return BA_LINE_MORE;
      end = buffer->bytes + buffer->length;
    }
    size_t size = (size_t)(end - begin);
    lines->cut = end == buffer->bytes + buffer->length;
    bool long_one = lines->passed || size > lines->max_line;
    if(long_one && !lines->measures)
      return too_long(lines, err);
    take(lines, size + (end < buffer->bytes + buffer->length));
    if(long_one)
      return measured(lines, lines->passed + size, err);
    if(is_blank(begin, size))
      continue;
    *line = begin;
    *length = size;
    return BA_LINE_READY;
  }
  if(lines->ended && lines->passed) { /* it was the last, and had no end */
    lines->number++;
    return measured(lines, lines->passed, err);
  }
  return lines->ended ? BA_LINE_END : BA_LINE_MORE;
}
