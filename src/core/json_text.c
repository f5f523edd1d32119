#include "json.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

unsigned ba_utf8_sequence(const unsigned char *at, const unsigned char *end)
{
  size_t left = (size_t)(end - at);
  unsigned char lead = left ? at[0] : 0xFF;
  if(lead < 0x80)
    return 1;
  if(lead < 0xC2)
    return 0;
  if(lead < 0xE0)
    return left >= 2 && (at[1] & 0xC0) == 0x80 ? 2 : 0;
  if(lead < 0xF0) {
    if(left < 3 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80)
      return 0;
    if((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F))
      return 0;
    return 3;
  }
  if(lead > 0xF4 || left < 4 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80 ||
     (at[3] & 0xC0) != 0x80)
    return 0;
  if((lead == 0xF0 && at[1] < 0x90) || (lead == 0xF4 && at[1] > 0x8F))
    return 0;
  return 4;
}

/* A byte that can be copied as it is, in a string read or written, without a
 * further look: printable ASCII but not '"' and '\\'. */
static inline bool is_plain(unsigned char byte)
{
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* The first byte from `at` on that is not plain. */
static inline const char *skip_plain(const char *at, const char *end)
{
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), escape = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(0x20);
  while(end - at >= 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    /* compared as signed, bytes from 0x80 on are below 0x20 too */
    __m128i special =
        _mm_or_si128(_mm_cmplt_epi8(bytes, space),
                     _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, escape)));
    unsigned mask = (unsigned)_mm_movemask_epi8(special);
    if(mask)
      return at + __builtin_ctz(mask);
    at += 16;
  }
#endif
  while(at < end && is_plain((unsigned char)*at))
    at++;
  return at;
}

/* As skip_plain(), and over valid UTF-8 too. Stops at an invalid byte, which
 * is then >= 0x80. */
static inline const char *skip_text(const char *at, const char *end)
{
  for(;;) {
    at = skip_plain(at, end);
    if(at == end || (unsigned char)*at < 0x80)
      return at;
    /* text that is not ASCII comes in runs: stay here while it lasts */
    do {
      unsigned length = ba_utf8_sequence((const unsigned char *)at, (const unsigned char *)end);
      if(length == 0)
        return at;
      at += length;
    } while(at < end && (unsigned char)*at >= 0x80);
  }
}

/* ---- reading ----------------------------------------------------------- */

static int hex4(const char *at, const char *end)
{
  if(end - at < 4)
    return -1;
  int value = 0;
  for(int i = 0; i < 4; i++) {
    int c = (unsigned char)at[i], digit = c | 0x20;
    if(c >= '0' && c <= '9')
      digit = c - '0';
    else if(digit >= 'a' && digit <= 'f')
      digit = digit - 'a' + 10;
    else
      return -1;
    value = value << 4 | digit;
  }
  return value;
}

static size_t put_utf8(char *out, unsigned code)
{
  if(code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  if(code < 0x800) {
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3F));
    return 2;
  }
  if(code < 0x10000) {
    out[0] = (char)(0xE0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3F));
    out[2] = (char)(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | code >> 18);
  out[1] = (char)(0x80 | (code >> 12 & 0x3F));
  out[2] = (char)(0x80 | (code >> 6 & 0x3F));
  out[3] = (char)(0x80 | (code & 0x3F));
  return 4;
}

/* *at stands behind "\u". Gives the code point, or -1 with *at where it was. */
static int read_unicode(const char **at, const char *end, struct ba_error *err)
{
  int code = hex4(*at, end);
  if(code < 0) {
    ba_error_set(err, BA_DECODE, NULL, "\\u without four hexadecimal digits");
    return -1;
  }
  if(code < 0xD800 || code > 0xDFFF) {
    *at += 4;
    return code;
  }
  const char *low_at = *at + 4;
  int low = code <= 0xDBFF && end - low_at >= 6 && low_at[0] == '\\' && low_at[1] == 'u'
                ? hex4(low_at + 2, end)
                : -1;
  if(low < 0xDC00 || low > 0xDFFF) {
    ba_error_set(err, BA_DECODE, NULL, "half of a surrogate pair");
    return -1;
  }
  *at += 10;
  return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

/* *at stands at the '\\'. Writes at most four bytes to `out`; 0: failed. */
static size_t read_escape(const char **at, const char *end, char *out, struct ba_error *err)
{
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if(end - *at < 2) {
    *at = end;
    ba_error_set(err, BA_DECODE, NULL, "a string without its closing quote");
    return 0;
  }
  char letter = (*at)[1];
  if(letter == 'u') {
    *at += 2;
    int code = read_unicode(at, end, err);
    return code < 0 ? 0 : put_utf8(out, (unsigned)code);
  }
  const char *found = letter ? strchr(from, letter) : NULL;
  if(!found) {
    ba_error_set(err, BA_DECODE, NULL, "an unknown escape in a string");
    return 0;
  }
  *at += 2;
  *out = to[found - from];
  return 1;
}

static bool fail_string(const char *at, const char *end, struct ba_error *err)
{
  if(at == end)
    return ba_error_set(err, BA_DECODE, NULL, "a string without its closing quote");
  if((unsigned char)*at >= 0x80)
    return ba_error_set(err, BA_DECODE, NULL, "a string that is not valid UTF-8");
  return ba_error_set(err, BA_DECODE, NULL, "a control character in a string");
}

/* The rest of a string from its first escape on, into `scratch`. */
static bool unescape(const char **at, const char *end, struct ba_buffer *scratch,
                     struct ba_error *err)
{
  for(;;) {
    if(*at < end && **at == '\\') {
      if(!ba_buffer_reserve(scratch, 4, err))
        return false;
      size_t length = read_escape(at, end, scratch->bytes + scratch->length, err);
      if(length == 0)
        return false;
      scratch->length += length;
      continue;
    }
    const char *run = *at;
    *at = skip_text(run, end);
    size_t length = (size_t)(*at - run);
    if(length) {
      if(!ba_buffer_reserve(scratch, length, err))
        return false;
      memcpy(scratch->bytes + scratch->length, run, length);
      scratch->length += length;
    }
    if(*at == end || (**at != '"' && **at != '\\'))
      return fail_string(*at, end, err);
    if(**at == '"') {
      scratch->bytes[scratch->length] = '\0';
      return true;
    }
  }
}

bool ba_json_read_string(const char **at, const char *end, struct ba_buffer *scratch,
                         const char **string, size_t *length, struct ba_error *err)
{
  const char *first = *at;
  *at = skip_text(first, end);
  if(*at < end && **at == '"') {
    *string = first;
    *length = (size_t)(*at - first);
    ++*at;
    return true;
  }
  if(*at == end || **at != '\\')
    return fail_string(*at, end, err);
  scratch->length = 0;
  if(!ba_buffer_append(scratch, first, (size_t)(*at - first), err) ||
     !unescape(at, end, scratch, err))
    return false;
  *string = scratch->bytes;
  *length = scratch->length;
  ++*at;
  return true;
}

/* ---- writing ----------------------------------------------------------- */

/* Six bytes are room enough for each. */
static size_t put_escape(char *out, unsigned char byte)
{
  static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt", digits[] = "0123456789abcdef";
  for(const char *pair = letters; *pair; pair += 2) {
    if((unsigned char)pair[0] == byte) {
      out[0] = '\\';
      out[1] = pair[1];
      return 2;
    }
  }
  memcpy(out, "\\u00", 4);
  out[4] = digits[byte >> 4];
  out[5] = digits[byte & 15];
  return 6;
}

bool ba_json_append_string(struct ba_buffer *out, const char *text, size_t length,
                           struct ba_error *err)
{
  const char *at = text, *end = text + length;
  if(!ba_buffer_reserve(out, length + 2, err))
    return false;
  out->bytes[out->length++] = '"';
  for(;;) {
    const char *run = at;
    at = skip_text(run, end);
    /* what is left, one escape and the quote: so the quote always has room */
    if(!ba_buffer_reserve(out, (size_t)(end - run) + 7, err))
      return false;
    memcpy(out->bytes + out->length, run, (size_t)(at - run));
    out->length += (size_t)(at - run);
    if(at == end)
      break;
    if((unsigned char)*at >= 0x80)
      return ba_error_set(err, BA_INVALID, "utf8", "not valid UTF-8 (byte %zu of the string)",
                          (size_t)(at - text) + 1);
    out->length += put_escape(out->bytes + out->length, (unsigned char)*at++);
  }
  out->bytes[out->length++] = '"';
  out->bytes[out->length] = '\0';
  return true;
}
