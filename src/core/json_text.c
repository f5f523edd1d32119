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

#if defined(__SSE2__)
/* A bit for each of the 16 bytes that is not plain. */
static inline unsigned special_bytes(__m128i bytes)
{
  const __m128i quote = _mm_set1_epi8('"'), escape = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(0x20);
  /* compared as signed, bytes from 0x80 on are below 0x20 too */
  __m128i special =
      _mm_or_si128(_mm_cmplt_epi8(bytes, space),
                   _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, escape)));
  return (unsigned)_mm_movemask_epi8(special);
}
#endif

/* The first byte from `at` on that is not plain. */
static inline const char *skip_plain(const char *at, const char *end)
{
#if defined(__SSE2__)
  while(end - at >= 16) {
    unsigned mask = special_bytes(_mm_loadu_si128((const __m128i *)(const void *)at));
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

/* What stands for the letter of a two-letter escape; 0: no such escape. */
static const char unescaped[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

/* *at stands at the '\\'. Writes at most four bytes to `out`; 0: failed. */
static inline size_t read_escape(const char **at, const char *end, char *out, struct ba_error *err)
{
  if(end - *at < 2) {
    *at = end;
    ba_error_set(err, BA_DECODE, NULL, "a string without its closing quote");
    return 0;
  }
  unsigned char letter = (unsigned char)(*at)[1];
  *out = unescaped[letter];
  if(*out) {
    *at += 2;
    return 1;
  }
  if(letter != 'u') {
    ba_error_set(err, BA_DECODE, NULL, "an unknown escape in a string");
    return 0;
  }
  *at += 2;
  int code = read_unicode(at, end, err);
  return code < 0 ? 0 : put_utf8(out, (unsigned)code);
}

/* Escapes come in pairs, as "\n\n" does: at most eight bytes. */
static inline size_t read_escapes(const char **at, const char *end, char *out, struct ba_error *err)
{
  size_t first = read_escape(at, end, out, err);
  if(first == 0 || *at == end || **at != '\\')
    return first;
  size_t second = read_escape(at, end, out + first, err);
  return second ? first + second : 0;
}

static bool fail_string(const char *at, const char *end, struct ba_error *err)
{
  if(at == end)
    return ba_error_set(err, BA_DECODE, NULL, "a string without its closing quote");
  if((unsigned char)*at >= 0x80)
    return ba_error_set(err, BA_DECODE, NULL, "a string that is not valid UTF-8");
  return ba_error_set(err, BA_DECODE, NULL, "a control character in a string");
}

/* Copies plain bytes from *at to `out` until one is not plain, or `room`
 * (16 at least) is used up; gives how many. May write up to 16 bytes more than
 * it gives, but within the room. */
static inline size_t copy_plain(const char **at, const char *end, char *out, size_t room)
{
  size_t done = 0;
#if defined(__SSE2__)
  while(end - *at >= 32 && room - done >= 32) {
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)*at);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(*at + 16));
    _mm_storeu_si128((__m128i *)(void *)(out + done), low);
    _mm_storeu_si128((__m128i *)(void *)(out + done + 16), high);
    unsigned mask = special_bytes(low) | special_bytes(high) << 16;
    if(mask) {
      size_t length = (size_t)__builtin_ctz(mask);
      *at += length;
      return done + length;
    }
    *at += 32;
    done += 32;
  }
  while(end - *at >= 16 && room - done >= 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)*at);
    _mm_storeu_si128((__m128i *)(void *)(out + done), bytes);
    unsigned mask = special_bytes(bytes);
    if(mask) {
      size_t length = (size_t)__builtin_ctz(mask);
      *at += length;
      return done + length;
    }
    *at += 16;
    done += 16;
  }
#endif
  while(*at < end && done < room && is_plain((unsigned char)**at))
    out[done++] = *(*at)++;
  return done;
}

enum { STEP_BYTES = 4096, LEAST_ROOM = 32 };

/* Makes sure that *room bytes, at least LEAST_ROOM, can be written. */
static inline bool make_room(struct ba_buffer *buffer, size_t wanted, size_t *room,
                             struct ba_error *err)
{
  if(buffer->capacity - buffer->length < LEAST_ROOM) {
    size_t more = wanted < STEP_BYTES ? wanted : STEP_BYTES;
    if(!ba_buffer_reserve(buffer, more + LEAST_ROOM, err))
      return false;
  }
  *room = buffer->capacity - buffer->length;
  return true;
}

/* The rest of a string from its first escape on, into `scratch`. */
static bool unescape(const char **at, const char *end, struct ba_buffer *scratch,
                     struct ba_error *err)
{
  size_t room;
  for(;;) {
    if(!make_room(scratch, (size_t)(end - *at), &room, err))
      return false;
    scratch->length += copy_plain(at, end, scratch->bytes + scratch->length, room - 8);
    if(*at == end)
      return fail_string(*at, end, err);
    char *out = scratch->bytes + scratch->length; /* has room for 8 more */
    unsigned char byte = (unsigned char)**at;
    size_t length;
    if(byte == '\\') {
      length = read_escapes(at, end, out, err);
      if(length == 0)
        return false;
      scratch->length += length;
    } else if(byte >= 0x80) {
      length = ba_utf8_sequence((const unsigned char *)*at, (const unsigned char *)end);
      if(length == 0)
        return fail_string(*at, end, err);
      memcpy(out, *at, length);
      *at += length;
      scratch->length += length;
    } else if(byte == '"') {
      *out = '\0';
      return true;
    } else if(!is_plain(byte)) {
      return fail_string(*at, end, err);
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

/* The letter of a two-letter escape, 'u' for \\u00xx, 0 for none. */
static const char escaped[256] = {'u', 'u', 'u', 'u', 'u', 'u',         'u',          'u', 'b',
                                  't', 'n', 'u', 'f', 'r', 'u',         'u',          'u', 'u',
                                  'u', 'u', 'u', 'u', 'u', 'u',         'u',          'u', 'u',
                                  'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\'};

/* Six bytes are room enough for each. */
static inline size_t put_escape(char *out, unsigned char byte)
{
  static const char digits[] = "0123456789abcdef";
  out[0] = '\\';
  out[1] = escaped[byte];
  if(out[1] != 'u')
    return 2;
  out[2] = out[3] = '0';
  out[4] = digits[byte >> 4];
  out[5] = digits[byte & 15];
  return 6;
}

/* False if one of the eight bytes is not plain, and seldom otherwise (a borrow
 * may pass from one byte to the next). */
static inline bool are_plain(uint64_t bytes)
{
  const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
  uint64_t quote = bytes ^ ones * '"', escape = bytes ^ ones * '\\';
  uint64_t control = (bytes - ones * 0x20) & ~bytes;
  return ((bytes | control | ((quote - ones) & ~quote) | ((escape - ones) & ~escape)) & highs) == 0;
}

/* Keys and words: copies up to 16 bytes in two overlapping pieces if all of
 * them are plain; false, and what it wrote is void, if not. */
static inline bool put_short(char *out, const char *text, size_t length)
{
  uint64_t first, last;
  uint32_t head, tail;
  if(length >= 8) {
    memcpy(&first, text, 8);
    memcpy(&last, text + length - 8, 8);
    memcpy(out, &first, 8);
    memcpy(out + length - 8, &last, 8);
    return are_plain(first) && are_plain(last);
  }
  if(length >= 4) {
    memcpy(&head, text, 4);
    memcpy(&tail, text + length - 4, 4);
    memcpy(out, &head, 4);
    memcpy(out + length - 4, &tail, 4);
    return are_plain((uint64_t)head << 32 | tail);
  }
  for(size_t i = 0; i < length; i++) {
    out[i] = text[i];
    if(!is_plain((unsigned char)text[i]))
      return false;
  }
  return true;
}

bool ba_json_append_string(struct ba_buffer *out, const char *text, size_t length,
                           struct ba_error *err)
{
  const char *at = text, *end = text + length;
  size_t room;
  /* with this much the common string never asks again */
  if(out->capacity - out->length < length + 2 * LEAST_ROOM &&
     !ba_buffer_reserve(out, length + 2 * LEAST_ROOM, err))
    return false;
  out->bytes[out->length++] = '"';
  if(length <= 16 && put_short(out->bytes + out->length, text, length)) {
    out->length += length;
    at = end;
  }
  while(at < end) {
    if(!make_room(out, (size_t)(end - at), &room, err))
      return false;
    out->length += copy_plain(&at, end, out->bytes + out->length, room - 8);
    if(at == end)
      break;
    char *next = out->bytes + out->length; /* has room for 8 more */
    unsigned char byte = (unsigned char)*at;
    if(byte >= 0x80) {
      size_t size = ba_utf8_sequence((const unsigned char *)at, (const unsigned char *)end);
      if(size == 0)
        return ba_error_set(err, BA_INVALID, "utf8", "not valid UTF-8 (byte %zu of the string)",
                            (size_t)(at - text) + 1);
      memcpy(next, at, size);
      at += size;
      out->length += size;
    } else if(!is_plain(byte)) {
      out->length += put_escape(next, byte);
      at++;
    }
  }
  if(!make_room(out, 1, &room, err))
    return false;
  out->bytes[out->length++] = '"';
  out->bytes[out->length] = '\0';
  return true;
}
