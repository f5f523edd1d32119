/* The scanner on any bytes: it stays within them (they are copied to a block
 * of their own size), its tokens nest, what it takes is taken again after
 * being written, every string it gives is UTF-8, and a key that is guessed is
 * as good as one that is read. */
#include "batchapi/buffer.h"
#include "batchapi/json.h"
#include "batchapi/json_scan.h"
#include "json/path.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if(!(condition))                                                                               \
      abort();                                                                                     \
  } while(0)

static void check_text(const char *text, size_t length)
{
  const unsigned char *at = (const unsigned char *)text, *end = at + length;
  while(at < end) {
    unsigned size = ba_utf8_sequence(at, end);
    CHECK(size > 0);
    at += size;
  }
}

static void put(struct ba_buffer *out, const char *bytes, size_t length)
{
  CHECK(ba_buffer_append(out, bytes, length, NULL));
}

/* Writes the token again; `before` is the one before it. */
static void rewrite(struct ba_buffer *out, const struct ba_json_scanner *scanner,
                    enum ba_json_token token, enum ba_json_token before)
{
  char text[BA_JSON_NUMBER_MAX];
  bool closes = token == BA_JSON_ARRAY_END || token == BA_JSON_OBJECT_END;
  bool opened = before == BA_JSON_ARRAY || before == BA_JSON_OBJECT || before == BA_JSON_KEY;
  if(out->length && !closes && !opened)
    put(out, ",", 1);
  switch(token) {
  case BA_JSON_NULL:
    put(out, "null", 4);
    break;
  case BA_JSON_TRUE:
    put(out, "true", 4);
    break;
  case BA_JSON_FALSE:
    put(out, "false", 5);
    break;
  case BA_JSON_INTEGER:
    put(out, text, ba_json_format_integer(text, scanner->integer));
    break;
  case BA_JSON_FLOAT:
    put(out, text, ba_json_format_double(text, scanner->number));
    break;
  case BA_JSON_STRING:
  case BA_JSON_KEY:
    check_text(scanner->string, scanner->length);
    CHECK(ba_json_append_string(out, scanner->string, scanner->length, NULL));
    if(token == BA_JSON_KEY)
      put(out, ":", 1);
    break;
  default:
    put(out, &"[]{}"[token - BA_JSON_ARRAY], 1);
  }
}

static bool walk(const char *bytes, size_t length, struct ba_buffer *scratch, struct ba_buffer *out)
{
  struct ba_json_scanner scanner;
  enum ba_json_token token, before = BA_JSON_END;
  ba_json_scanner_init(&scanner, bytes, length, 100, scratch);
  while((token = ba_json_next(&scanner)) > BA_JSON_END) {
    rewrite(out, &scanner, token, before);
    before = token;
  }
  CHECK(ba_json_offset(&scanner) <= length + 1);
  CHECK((token == BA_JSON_FAILED) == (scanner.error.kind != BA_OK));
  return token == BA_JSON_END;
}

static enum ba_json_token next_by_guess(struct ba_json_scanner *scanner,
                                        const struct ba_json_scanner *reader)
{
  enum ba_json_token token = ba_json_step(scanner);
  if(token == BA_JSON_VALUE)
    return ba_json_value(scanner);
  if(token != BA_JSON_KEY)
    return token;
  bool plain = reader->string != reader->scratch->bytes;
  if(reader->string && plain && ba_json_take_key(scanner, reader->string, reader->length))
    return BA_JSON_KEY;
  return ba_json_read_key(scanner);
}

/* The guesses are what another scanner has read. */
static void guess(const char *bytes, size_t length, struct ba_buffer *scratch,
                  struct ba_buffer *other_scratch)
{
  struct ba_json_scanner reader, guesser;
  enum ba_json_token token;
  ba_json_scanner_init(&reader, bytes, length, 100, scratch);
  ba_json_scanner_init(&guesser, bytes, length, 100, other_scratch);
  do {
    token = ba_json_next(&reader);
    CHECK(next_by_guess(&guesser, &reader) == token);
    CHECK(ba_json_offset(&guesser) == ba_json_offset(&reader));
  } while(token > BA_JSON_END);
  CHECK(strcmp(reader.error.message, guesser.error.message) == 0 || token == BA_JSON_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char *copy = malloc(size ? size : 1), found[20];
  struct ba_buffer scratch, other, first, second;
  CHECK(copy);
  if(size)
    memcpy(copy, data, size);
  ba_buffer_init(&scratch, 1 << 20);
  ba_buffer_init(&other, 1 << 20);
  ba_buffer_init(&first, 1 << 24);
  ba_buffer_init(&second, 1 << 24);
  bool valid = walk(copy, size, &scratch, &first);
  if(valid) {
    CHECK(walk(first.bytes, first.length, &scratch, &second));
    CHECK(first.length == second.length && memcmp(first.bytes, second.bytes, first.length) == 0);
  }
  guess(copy, size, &scratch, &other);
  bool there = ba_json_string_at(copy, size, "error.0.code", found, sizeof(found));
  CHECK(!there || valid);
  CHECK(strlen(found) < sizeof(found));
  ba_buffer_free(&scratch);
  ba_buffer_free(&other);
  ba_buffer_free(&first);
  ba_buffer_free(&second);
  free(copy);
  return 0;
}
