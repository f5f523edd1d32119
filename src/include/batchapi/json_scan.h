/* The scanner's inner part, for who walks many tokens: ba_json_next() without
 * a call for each of them, and keys that are known beforehand.
 *
 *   token = ba_json_step(&scanner);
 *   if(token == BA_JSON_KEY && !ba_json_take_key(&scanner, guess, length))
 *     token = ba_json_read_key(&scanner); … the key is taken
 *   if(token == BA_JSON_VALUE)
 *     token = ba_json_value(&scanner); … as from ba_json_next()
 */
#ifndef BA_JSON_SCAN_H
#define BA_JSON_SCAN_H

#include "json.h"
#include "json_bytes.h"

#include <string.h>

/* What the grammar allows at this point. */
enum ba_json_expect {
  BA_EXPECT_VALUE,
  BA_EXPECT_ELEMENT_OR_END,   /* behind '[' */
  BA_EXPECT_KEY,              /* behind a ',' in an object */
  BA_EXPECT_KEY_OR_END,       /* behind '{' */
  BA_EXPECT_COMMA_OR_BRACKET, /* behind a value in an array */
  BA_EXPECT_COMMA_OR_BRACE,   /* behind a value in an object */
  BA_EXPECT_NOTHING,          /* behind the whole document */
  BA_EXPECT_FAILURE           /* again, whatever comes */
};

/* Where it does not go on as it should: each says why and gives BA_JSON_FAILED. */
enum ba_json_token ba_json_fail_expecting(struct ba_json_scanner *scanner, const char *at);
enum ba_json_token ba_json_fail_depth(struct ba_json_scanner *scanner, const char *at);
enum ba_json_token ba_json_fail_inside(struct ba_json_scanner *scanner);
/* A lenient reading may go on: the string, the value, the number at `at` is
 * read again. A strict one fails, as it was about to. */
bool ba_json_mend_string(struct ba_json_scanner *scanner, const char *at);
enum ba_json_token ba_json_mend_text(struct ba_json_scanner *scanner, const char *at);
enum ba_json_token ba_json_mend_value(struct ba_json_scanner *scanner, const char *at);
enum ba_json_token ba_json_mend_number(struct ba_json_scanner *scanner, const char *at);
/* The text ends: BA_JSON_END if it may. */
enum ba_json_token ba_json_text_ends(struct ba_json_scanner *scanner, const char *at);

static inline const char *ba_json_skip_space(const char *at, const char *end)
{
  while(at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
    at++;
  return at;
}

static inline enum ba_json_token ba_json_value_ends(struct ba_json_scanner *scanner, const char *at,
                                                    enum ba_json_token token)
{
  scanner->at = at;
  scanner->expect = scanner->inside[scanner->depth];
  return token;
}

static inline enum ba_json_token ba_json_open(struct ba_json_scanner *scanner, const char *at,
                                              enum ba_json_token token)
{
  if(scanner->depth == scanner->max_depth)
    return ba_json_fail_depth(scanner, at);
  bool object = token == BA_JSON_OBJECT;
  scanner->at = at + 1;
  scanner->inside[++scanner->depth] =
      object ? BA_EXPECT_COMMA_OR_BRACE : BA_EXPECT_COMMA_OR_BRACKET;
  scanner->expect = object ? BA_EXPECT_KEY_OR_END : BA_EXPECT_ELEMENT_OR_END;
  return token;
}

static inline enum ba_json_token ba_json_close(struct ba_json_scanner *scanner, const char *at,
                                               enum ba_json_token token)
{
  scanner->depth--;
  return ba_json_value_ends(scanner, at + 1, token);
}

static inline enum ba_json_token ba_json_word(struct ba_json_scanner *scanner, const char *at,
                                              const char *word, size_t length,
                                              enum ba_json_token token)
{
  if((size_t)(scanner->end - at) < length || memcmp(at, word, length) != 0)
    return ba_json_fail_expecting(scanner, at);
  return ba_json_value_ends(scanner, at + length, token);
}

/* The string whose opening quote is at `at`; it leaves scanner->at behind it. */
static inline bool ba_json_string(struct ba_json_scanner *scanner, const char *at)
{
  const char *first = ++at;
#if defined(BA_JSON_SSE2)
  while(scanner->end - at >= 16) {
    unsigned special = ba_special_bytes(_mm_loadu_si128((const __m128i *)(const void *)at));
    if(special) {
      at += (unsigned)__builtin_ctz(special);
      if(*at != '"')
        break;
      scanner->string = first;
      scanner->length = (size_t)(at - first);
      scanner->at = at + 1;
      return true;
    }
    at += 16;
  }
#endif
  scanner->at = at;
  return ba_json_read_rest(first, &scanner->at, scanner->end, scanner->scratch, &scanner->string,
                           &scanner->length, &scanner->error);
}

/* Digits alone, and so few that nothing can overflow: false if it is more. */
static inline bool ba_json_short_integer(struct ba_json_scanner *scanner, const char **at)
{
  enum { DIGITS = 18 };
  const char *digit = *at, *end = scanner->end - digit > DIGITS ? digit + DIGITS : scanner->end;
  int64_t integer = 0;
  for(; digit < end && (unsigned char)(*digit - '0') <= 9; digit++)
    integer = integer * 10 + (*digit - '0');
  if(digit == end || digit == *at || *digit == '.' || (*digit | 0x20) == 'e' ||
     (**at == '0' && digit > *at + 1))
    return false;
  scanner->integer = integer;
  *at = digit;
  return true;
}

static inline enum ba_json_token ba_json_number(struct ba_json_scanner *scanner, const char *at)
{
  if(ba_json_short_integer(scanner, &at))
    return ba_json_value_ends(scanner, at, BA_JSON_INTEGER);
  scanner->at = at;
  enum ba_json_token token = ba_json_read_number(&scanner->at, scanner->end, &scanner->integer,
                                                 &scanner->number, &scanner->error);
  if(token == BA_JSON_FAILED)
    return ba_json_mend_number(scanner, at);
  return ba_json_value_ends(scanner, scanner->at, token);
}

/* Behind BA_JSON_VALUE: the value's token. */
static inline enum ba_json_token ba_json_value(struct ba_json_scanner *scanner)
{
  const char *at = scanner->at;
  switch(*at) {
  case '"':
    if(!ba_json_string(scanner, at))
      return ba_json_mend_text(scanner, at);
    return ba_json_value_ends(scanner, scanner->at, BA_JSON_STRING);
  case '{':
    return ba_json_open(scanner, at, BA_JSON_OBJECT);
  case '[':
    return ba_json_open(scanner, at, BA_JSON_ARRAY);
  case 't':
    return ba_json_word(scanner, at, "true", 4, BA_JSON_TRUE);
  case 'f':
    return ba_json_word(scanner, at, "false", 5, BA_JSON_FALSE);
  case 'n':
    return ba_json_word(scanner, at, "null", 4, BA_JSON_NULL);
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
  case '9':
    return ba_json_number(scanner, at);
  default:
    return ba_json_mend_value(scanner, at);
  }
}

/* Where a value is due, behind a key or a ',': BA_JSON_VALUE, or the failure. */
static inline enum ba_json_token ba_json_to_value(struct ba_json_scanner *scanner, const char *at)
{
  scanner->at = ba_json_skip_space(at, scanner->end);
  scanner->expect = BA_EXPECT_VALUE;
  return scanner->at == scanner->end ? ba_json_fail_expecting(scanner, scanner->at) : BA_JSON_VALUE;
}

/* As ba_json_next(), but it stops at the first byte of a key or a value. */
static inline enum ba_json_token ba_json_step(struct ba_json_scanner *scanner)
{
  const char *end = scanner->end, *at = ba_json_skip_space(scanner->at, end);
  if(at == end)
    return ba_json_text_ends(scanner, at);
  switch(scanner->expect) {
  case BA_EXPECT_COMMA_OR_BRACE:
    if(*at == '}')
      return ba_json_close(scanner, at, BA_JSON_OBJECT_END);
    if(*at != ',')
      break;
    at = ba_json_skip_space(at + 1, end);
    scanner->expect = BA_EXPECT_KEY;
    if(at == end || *at != '"')
      break;
    scanner->at = at;
    return BA_JSON_KEY;
  case BA_EXPECT_KEY_OR_END:
    if(*at == '}')
      return ba_json_close(scanner, at, BA_JSON_OBJECT_END);
    if(*at != '"')
      break;
    scanner->at = at;
    return BA_JSON_KEY;
  case BA_EXPECT_COMMA_OR_BRACKET:
    if(*at == ',')
      return ba_json_to_value(scanner, at + 1);
    if(*at != ']')
      break;
    return ba_json_close(scanner, at, BA_JSON_ARRAY_END);
  case BA_EXPECT_ELEMENT_OR_END:
    if(*at == ']')
      return ba_json_close(scanner, at, BA_JSON_ARRAY_END);
    scanner->at = at;
    return BA_JSON_VALUE;
  case BA_EXPECT_VALUE:
    scanner->at = at;
    return BA_JSON_VALUE;
  default:
    break;
  }
  return ba_json_fail_expecting(scanner, at);
}

/* Behind BA_JSON_KEY of ba_json_step(): reads the key and its ':'. Gives
 * BA_JSON_KEY again, with .string and .length, or BA_JSON_FAILED. */
enum ba_json_token ba_json_read_key(struct ba_json_scanner *scanner);

/* Instead of that: takes the key if it is `text`, which an earlier key was
 * that had no escape. False: it is another, or written in another way. */
static inline bool ba_json_take_key(struct ba_json_scanner *scanner, const char *text,
                                    size_t length)
{
  const char *key = scanner->at + 1;
  if((size_t)(scanner->end - key) < length + 2 || key[length] != '"' || key[length + 1] != ':' ||
     !ba_same_bytes(key, text, length))
    return false;
  scanner->at = key + length + 2;
  scanner->expect = BA_EXPECT_VALUE;
  return true;
}

#endif
