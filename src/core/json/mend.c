/* The lenient reading: what the strict one has refused, as far as nothing of it
 * is lost or guessed. No strict reading comes here but to fail. */
#include "batchapi/json_bytes.h"
#include "batchapi/json_scan.h"
#include "json/escape.h"

#include <math.h>
#include <stdio.h>

static void note(struct ba_json_scanner *scanner, enum ba_json_mend mend, const char *at)
{
  if(scanner->mends->count[mend]++ == 0)
    scanner->mends->first[mend] = (size_t)(at - scanner->start) + 1;
}

void ba_json_scanner_mend(struct ba_json_scanner *scanner, struct ba_json_mends *mends)
{
  static const char mark[] = {'\xEF', '\xBB', '\xBF'};
  memset(mends, 0, sizeof(*mends));
  scanner->mends = mends;
  if((size_t)(scanner->end - scanner->at) >= sizeof(mark) &&
     memcmp(scanner->at, mark, sizeof(mark)) == 0) {
    note(scanner, BA_JSON_MEND_BOM, scanner->at);
    scanner->at += sizeof(mark);
  }
}

/* ---- strings ------------------------------------------------------------- */

static bool is_low_half(const char *at, const char *end)
{
  int code = end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? ba_hex4(at + 2, end) : -1;
  return code >= 0xDC00 && code <= 0xDFFF;
}

/* The escape at `at`, at most four bytes to `out`; gives where it ends, or NULL. */
static const char *mend_escape(struct ba_json_scanner *scanner, const char *at, char *out,
                               size_t *length)
{
  const char *end = scanner->end;
  scanner->at = at;
  *length = 1;
  *out = end - at >= 2 ? ba_unescaped[(unsigned char)at[1]] : '\0';
  if(*out)
    return at + 2;
  int code = end - at >= 2 && at[1] == 'u' ? ba_hex4(at + 2, end) : -1;
  if(code < 0) {
    if(end - at < 2)
      scanner->at = end;
    else if(at[1] == 'u')
      scanner->at = at + 2;
    ba_error_set(&scanner->error, BA_DECODE, NULL,
                 end - at < 2   ? "a string without its closing quote"
                 : at[1] == 'u' ? "\\u without four hexadecimal digits"
                                : "an unknown escape in a string");
    return NULL;
  }
  if(code >= 0xD800 && code <= 0xDBFF && is_low_half(at + 6, end)) {
    int low = ba_hex4(at + 8, end);
    *length = ba_put_utf8(out, (unsigned)(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)));
    return at + 12;
  }
  if(code >= 0xD800 && code <= 0xDFFF) {
    note(scanner, BA_JSON_MEND_SURROGATE, at);
    code = 0xFFFD;
  }
  *length = ba_put_utf8(out, (unsigned)code);
  return at + 6;
}

/* The byte at `at` is not plain; what is to be kept of it goes to `out`. Gives
 * where it goes on, or NULL. */
static const char *mend_byte(struct ba_json_scanner *scanner, const char *at, char *out,
                             size_t *length)
{
  if(*at == '\\')
    return mend_escape(scanner, at, out, length);
  *length = 1;
  if((unsigned char)*at >= 0x80) {
    unsigned size =
        ba_utf8_sequence((const unsigned char *)at, (const unsigned char *)scanner->end);
    if(size)
      *length = size;
    else
      note(scanner, BA_JSON_MEND_UTF8, at);
  } else {
    note(scanner, BA_JSON_MEND_CONTROL, at);
  }
  memcpy(out, at, *length);
  return at + *length;
}

bool ba_json_mend_string(struct ba_json_scanner *scanner, const char *at)
{
  struct ba_buffer *scratch = scanner->scratch;
  if(!scanner->mends || scanner->error.kind != BA_DECODE)
    return false;
  scanner->error.kind = BA_OK;
  ba_buffer_clear(scratch);
  for(at++;;) {
    const char *run = at;
    char kept[4];
    size_t length;
    at = ba_skip_plain(at, scanner->end);
    if(!ba_buffer_append(scratch, run, (size_t)(at - run), &scanner->error))
      return false;
    if(at == scanner->end) {
      scanner->at = at;
      return ba_error_set(&scanner->error, BA_DECODE, NULL, "a string without its closing quote");
    }
    if(*at == '"') {
      scanner->at = at + 1;
      scanner->string = scratch->bytes;
      scanner->length = scratch->length;
      return true;
    }
    at = mend_byte(scanner, at, kept, &length);
    if(!at || !ba_buffer_append(scratch, kept, length, &scanner->error))
      return false;
  }
}

enum ba_json_token ba_json_mend_text(struct ba_json_scanner *scanner, const char *at)
{
  if(!ba_json_mend_string(scanner, at))
    return ba_json_fail_inside(scanner);
  return ba_json_value_ends(scanner, scanner->at, BA_JSON_STRING);
}

/* ---- numbers ------------------------------------------------------------- */

static bool takes_word(struct ba_json_scanner *scanner, const char *at, const char *word,
                       double value)
{
  size_t length = strlen(word);
  if((size_t)(scanner->end - at) < length || memcmp(at, word, length) != 0)
    return false;
  note(scanner, BA_JSON_MEND_NUMBER, at);
  scanner->error.kind = BA_OK;
  scanner->number = value;
  scanner->at = at + length;
  return true;
}

enum ba_json_token ba_json_mend_value(struct ba_json_scanner *scanner, const char *at)
{
  if(scanner->mends &&
     (takes_word(scanner, at, "NaN", NAN) || takes_word(scanner, at, "Infinity", INFINITY)))
    return ba_json_value_ends(scanner, scanner->at, BA_JSON_FLOAT);
  return ba_json_fail_expecting(scanner, at);
}

enum ba_json_token ba_json_mend_number(struct ba_json_scanner *scanner, const char *at)
{
  if(!scanner->mends)
    return ba_json_fail_inside(scanner);
  if(takes_word(scanner, at, "-Infinity", -INFINITY))
    return ba_json_value_ends(scanner, scanner->at, BA_JSON_FLOAT);
  if(strcmp(scanner->error.code, "range") != 0)
    return ba_json_fail_inside(scanner);
  note(scanner, BA_JSON_MEND_NUMBER, at);
  scanner->error.kind = BA_OK;
  scanner->number = *at == '-' ? -INFINITY : INFINITY;
  do
    at++;
  while(at < scanner->end && strchr("0123456789.eE+-", *at) && *at);
  return ba_json_value_ends(scanner, at, BA_JSON_FLOAT);
}

/* ---- what was mended ------------------------------------------------------ */

size_t ba_json_describe_mends(const struct ba_json_mends *mends, char out[BA_JSON_MENDS_MAX])
{
  static const char *const names[][2] = {
      [BA_JSON_MEND_BOM] = {"a byte order mark was skipped", "byte order marks were skipped"},
      [BA_JSON_MEND_SURROGATE] = {"half of a surrogate pair became U+FFFD",
                                  "halves of surrogate pairs became U+FFFD"},
      [BA_JSON_MEND_CONTROL] = {"a raw control character was kept",
                                "raw control characters were kept"},
      [BA_JSON_MEND_UTF8] = {"a byte that is not UTF-8 was kept",
                             "bytes that are not UTF-8 were kept"},
      [BA_JSON_MEND_NUMBER] = {"a number that JSON does not have was read",
                               "numbers that JSON does not have were read"},
  };
  size_t length = 0;
  out[0] = '\0';
  for(int i = 0; i < BA_JSON_MEND_KINDS; i++) {
    size_t count = mends->count[i], room = BA_JSON_MENDS_MAX - length;
    const char *join = length ? "; " : "";
    if(count == 1)
      length += (size_t)snprintf(out + length, room, "%s%s at byte %zu", join, names[i][0],
                                 mends->first[i]);
    else if(count)
      length += (size_t)snprintf(out + length, room, "%s%zu %s, the first at byte %zu", join, count,
                                 names[i][1], mends->first[i]);
  }
  return length;
}
