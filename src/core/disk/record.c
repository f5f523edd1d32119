#include "batchapi/record.h"

#include "batchapi/base64.h"
#include "batchapi/crc32c.h"
#include "batchapi/json.h"

#include <inttypes.h>
#include <string.h>

static const char BEGIN[] = "{\"n\":";

bool ba_record_begin(struct ba_buffer *out, uint64_t number, struct ba_error *err)
{
  return ba_buffer_printf(out, err, "{\"n\":%" PRIu64, number);
}

/* May it stand in another document as it is, on one line? */
static bool is_embeddable(const char *line, size_t length)
{
  if(memchr(line, '\n', length))
    return false;
  struct ba_buffer scratch;
  struct ba_json_scanner scanner;
  enum ba_json_token token;
  ba_buffer_init(&scratch, BA_JSON_MAX_BYTES);
  ba_json_scanner_init(&scanner, line, length, BA_RECORD_DEPTH, &scratch);
  do
    token = ba_json_next(&scanner);
  while(token > BA_JSON_END);
  ba_buffer_free(&scratch);
  return token == BA_JSON_END;
}

bool ba_record_add_line(struct ba_buffer *out, const char *line, size_t length, bool strict,
                        struct ba_error *err)
{
  if(!ba_buffer_printf(out, err, ",\"bytes\":%zu", length))
    return false;
  if(strict || is_embeddable(line, length))
    return ba_buffer_append(out, ",\"line\":", 8, err) && ba_buffer_append(out, line, length, err);
  return ba_buffer_append(out, ",\"base64\":\"", 11, err) &&
         ba_base64_encode(out, line, length, err) && ba_buffer_append(out, "\"", 1, err);
}

bool ba_record_end(struct ba_buffer *out, size_t start, uint32_t seed, struct ba_error *err)
{
  uint32_t crc = ba_crc32c(seed, out->bytes + start, out->length - start);
  return ba_buffer_printf(out, err, ",\"crc\":\"%08" PRIx32 "\"}\n", crc);
}

static int hex_digit(char c)
{
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_tail(const char *tail, uint32_t *crc)
{
  *crc = 0;
  if(memcmp(tail, ",\"crc\":\"", 8) != 0 || memcmp(tail + 16, "\"}", 2) != 0)
    return false;
  for(int i = 8; i < 16; i++) {
    int digit = hex_digit(tail[i]);
    if(digit < 0)
      return false;
    *crc = *crc << 4 | (uint32_t)digit;
  }
  return true;
}

/* Where the number ends; NULL if there is none. */
static const char *read_number(const char *line, size_t length, uint64_t *number)
{
  const char *at = line + sizeof(BEGIN) - 1, *end = line + length;
  if(length < sizeof(BEGIN) || memcmp(line, BEGIN, sizeof(BEGIN) - 1) != 0)
    return NULL;
  *number = 0;
  for(; at < end && *at >= '0' && *at <= '9'; at++) {
    if(*number > UINT64_MAX / 10 - 1)
      return NULL;
    *number = *number * 10 + (uint64_t)(*at - '0');
  }
  return at;
}

bool ba_record_check(const char *line, size_t length, uint32_t seed, uint64_t *number)
{
  uint32_t crc;
  if(length < sizeof(BEGIN) + BA_RECORD_TAIL || !read_tail(line + length - BA_RECORD_TAIL, &crc))
    return false;
  length -= BA_RECORD_TAIL;
  return ba_crc32c(seed, line, length) == crc && read_number(line, length, number);
}

static bool begins(const char *at, const char *end, const char *word, size_t length)
{
  return (size_t)(end - at) >= length && memcmp(at, word, length) == 0;
}

/* Do as many bytes follow as the number says, in one of both forms? */
static bool is_followed(const char *at, const char *end)
{
  static const char plain[] = ",\"line\":", packed[] = ",\"base64\":\"";
  size_t bytes = 0;
  for(; at < end && *at >= '0' && *at <= '9' && bytes < SIZE_MAX / 20; at++)
    bytes = bytes * 10 + (size_t)(*at - '0');
  if(begins(at, end, plain, sizeof(plain) - 1))
    return (size_t)(end - at) == sizeof(plain) - 1 + bytes;
  return begins(at, end, packed, sizeof(packed) - 1) &&
         (size_t)(end - at) == sizeof(packed) - 1 + (bytes + 2) / 3 * 4 + 1;
}

size_t ba_record_fields(const char *line, size_t length)
{
  static const char mark[] = ",\"bytes\":"; /* not within a string: its quotes would be escaped */
  const char *end = line + length - BA_RECORD_TAIL, *at = line;
  while((at = memchr(at, ',', (size_t)(end - at)))) {
    if(begins(at, end, mark, sizeof(mark) - 1))
      return is_followed(at + sizeof(mark) - 1, end) ? (size_t)(at - line) : 0;
    at++;
  }
  return 0;
}

bool ba_record_renumber(struct ba_buffer *out, const char *line, size_t length, uint64_t number,
                        uint32_t seed, struct ba_error *err)
{
  uint64_t before;
  size_t start = out->length;
  const char *rest = read_number(line, length, &before);
  const char *end = line + length - BA_RECORD_TAIL;
  return ba_record_begin(out, number, err) &&
         ba_buffer_append(out, rest, (size_t)(end - rest), err) &&
         ba_record_end(out, start, seed, err);
}
