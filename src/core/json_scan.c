#include "json.h"

#include <string.h>

/* What the grammar allows at this point. */
enum {
  EXPECT_VALUE,
  EXPECT_ELEMENT_OR_END, /* behind '[' */
  EXPECT_KEY,            /* behind a ',' in an object */
  EXPECT_KEY_OR_END,     /* behind '{' */
  EXPECT_COMMA_OR_END,   /* behind a value in an array or object */
  EXPECT_NOTHING         /* behind the whole document */
};

void ba_json_scanner_init(struct ba_json_scanner *scanner, const char *bytes, size_t length,
                          unsigned max_depth, struct ba_buffer *scratch)
{
  scanner->string = NULL;
  scanner->length = 0;
  scanner->start = scanner->at = bytes;
  scanner->end = bytes + length;
  scanner->scratch = scratch;
  scanner->depth = 0;
  scanner->max_depth = max_depth ? max_depth : BA_JSON_DEFAULT_DEPTH;
  if(scanner->max_depth > BA_JSON_MAX_DEPTH)
    scanner->max_depth = BA_JSON_MAX_DEPTH;
  scanner->expect = EXPECT_VALUE;
  scanner->error.kind = BA_OK;
}

size_t ba_json_offset(const struct ba_json_scanner *scanner)
{
  return (size_t)(scanner->at - scanner->start) + 1;
}

static bool in_object(const struct ba_json_scanner *scanner)
{
  unsigned level = scanner->depth;
  return scanner->is_object[level >> 3] >> (level & 7) & 1;
}

static enum ba_json_token fail(struct ba_json_scanner *scanner, const char *what)
{
  ba_error_set(&scanner->error, BA_DECODE, NULL, "%s at byte %zu", what, ba_json_offset(scanner));
  return BA_JSON_FAILED;
}

static enum ba_json_token fail_expecting(struct ba_json_scanner *scanner)
{
  static const char *const wanted[] = {
      "a value", "a value or ']'",     "a key in quotes", "a key in quotes or '}'",
      NULL,      "the end of the text"};
  const char *want = wanted[scanner->expect];
  if(!want)
    want = in_object(scanner) ? "',' or '}'" : "',' or ']'";
  if(scanner->at == scanner->end) {
    ba_error_set(&scanner->error, BA_DECODE, NULL, "the text ends where %s is due (byte %zu)", want,
                 ba_json_offset(scanner));
    return BA_JSON_FAILED;
  }
  unsigned char byte = (unsigned char)*scanner->at;
  ba_error_set(&scanner->error, BA_DECODE, NULL,
               byte > 0x20 && byte < 0x7F ? "expected %s at byte %zu, found '%c'"
                                          : "expected %s at byte %zu, found byte 0x%02X",
               want, ba_json_offset(scanner), byte);
  return BA_JSON_FAILED;
}

static inline void skip_space(struct ba_json_scanner *scanner)
{
  const char *at = scanner->at, *end = scanner->end;
  while(at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
    at++;
  scanner->at = at;
}

static inline unsigned char after_value(const struct ba_json_scanner *scanner)
{
  return scanner->depth ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static enum ba_json_token open_container(struct ba_json_scanner *scanner, bool object)
{
  if(scanner->depth == scanner->max_depth) {
    ba_error_set(&scanner->error, BA_DECODE, "depth", "more than %u levels deep at byte %zu",
                 scanner->max_depth, ba_json_offset(scanner));
    return BA_JSON_FAILED;
  }
  scanner->at++;
  unsigned level = ++scanner->depth;
  unsigned char bit = (unsigned char)(1u << (level & 7));
  if(object)
    scanner->is_object[level >> 3] |= bit;
  else
    scanner->is_object[level >> 3] &= (unsigned char)~bit;
  scanner->expect = object ? EXPECT_KEY_OR_END : EXPECT_ELEMENT_OR_END;
  return object ? BA_JSON_OBJECT : BA_JSON_ARRAY;
}

static enum ba_json_token close_container(struct ba_json_scanner *scanner)
{
  enum ba_json_token token = in_object(scanner) ? BA_JSON_OBJECT_END : BA_JSON_ARRAY_END;
  scanner->at++;
  scanner->depth--;
  scanner->expect = after_value(scanner);
  return token;
}

static enum ba_json_token read_word(struct ba_json_scanner *scanner, const char *word,
                                    size_t length, enum ba_json_token token)
{
  size_t left = (size_t)(scanner->end - scanner->at);
  if(left < length || memcmp(scanner->at, word, length) != 0)
    return fail_expecting(scanner);
  scanner->at += length;
  scanner->expect = after_value(scanner);
  return token;
}

/* The strings' and numbers' readers do not know where the document begins:
 * the byte's number is added to their message here. */
static enum ba_json_token fail_inside(struct ba_json_scanner *scanner)
{
  if(scanner->error.kind != BA_DECODE)
    return BA_JSON_FAILED;
  struct ba_error inner = scanner->error;
  ba_error_set(&scanner->error, BA_DECODE, inner.code, "%s at byte %zu", inner.message,
               ba_json_offset(scanner));
  return BA_JSON_FAILED;
}

static bool read_string(struct ba_json_scanner *scanner)
{
  scanner->at++;
  return ba_json_read_string(&scanner->at, scanner->end, scanner->scratch, &scanner->string,
                             &scanner->length, &scanner->error);
}

static enum ba_json_token read_key(struct ba_json_scanner *scanner)
{
  if(!read_string(scanner))
    return fail_inside(scanner);
  skip_space(scanner);
  if(scanner->at == scanner->end || *scanner->at != ':')
    return fail(scanner, "expected ':' after a key");
  scanner->at++;
  scanner->expect = EXPECT_VALUE;
  return BA_JSON_KEY;
}

static enum ba_json_token read_value(struct ba_json_scanner *scanner)
{
  switch(*scanner->at) {
  case '"':
    if(!read_string(scanner))
      return fail_inside(scanner);
    scanner->expect = after_value(scanner);
    return BA_JSON_STRING;
  case '{':
    return open_container(scanner, true);
  case '[':
    return open_container(scanner, false);
  case 't':
    return read_word(scanner, "true", 4, BA_JSON_TRUE);
  case 'f':
    return read_word(scanner, "false", 5, BA_JSON_FALSE);
  case 'n':
    return read_word(scanner, "null", 4, BA_JSON_NULL);
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9': {
    enum ba_json_token token = ba_json_read_number(&scanner->at, scanner->end, &scanner->integer,
                                                   &scanner->number, &scanner->error);
    if(token == BA_JSON_FAILED)
      return fail_inside(scanner);
    scanner->expect = after_value(scanner);
    return token;
  }
  default:
    return fail_expecting(scanner);
  }
}

/* Behind a value: takes the ',' and says what must follow, or closes. */
static enum ba_json_token next_in_container(struct ba_json_scanner *scanner)
{
  bool object = in_object(scanner);
  if(*scanner->at == (object ? '}' : ']'))
    return close_container(scanner);
  if(*scanner->at != ',')
    return fail_expecting(scanner);
  scanner->at++;
  skip_space(scanner);
  scanner->expect = object ? EXPECT_KEY : EXPECT_VALUE;
  if(scanner->at == scanner->end)
    return fail_expecting(scanner);
  if(!object)
    return read_value(scanner);
  return *scanner->at == '"' ? read_key(scanner) : fail_expecting(scanner);
}

enum ba_json_token ba_json_next(struct ba_json_scanner *scanner)
{
  if(scanner->error.kind != BA_OK)
    return BA_JSON_FAILED;
  skip_space(scanner);
  if(scanner->at == scanner->end)
    return scanner->expect == EXPECT_NOTHING ? BA_JSON_END : fail_expecting(scanner);
  switch(scanner->expect) {
  case EXPECT_COMMA_OR_END:
    return next_in_container(scanner);
  case EXPECT_VALUE:
    return read_value(scanner);
  case EXPECT_ELEMENT_OR_END:
    return *scanner->at == ']' ? close_container(scanner) : read_value(scanner);
  case EXPECT_KEY_OR_END:
    if(*scanner->at == '}')
      return close_container(scanner);
    return *scanner->at == '"' ? read_key(scanner) : fail_expecting(scanner);
  default:
    return fail_expecting(scanner);
  }
}
