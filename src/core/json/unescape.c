#include "batchapi/json.h"
#include "batchapi/json_bytes.h"
#include "json/escape.h"

#include <string.h>

/* *at stands behind "\u". Gives the code point, or -1 with *at where it was. */
static int read_unicode(const char **at, const char *end, struct ba_error *err)
{
  int code = ba_hex4(*at, end);
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
                ? ba_hex4(low_at + 2, end)
                : -1;
  if(low < 0xDC00 || low > 0xDFFF) {
    ba_error_set(err, BA_DECODE, NULL, "half of a surrogate pair");
    return -1;
  }
  *at += 10;
  return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

/* *at stands at the '\\'. Writes at most four bytes to `out`; 0: failed. */
static inline __attribute__((always_inline)) size_t read_escape(const char **at, const char *end,
                                                                char *out, struct ba_error *err)
{
  if(end - *at < 2) {
    *at = end;
    ba_error_set(err, BA_DECODE, NULL, "a string without its closing quote");
    return 0;
  }
  unsigned char letter = (unsigned char)(*at)[1];
  *out = ba_unescaped[letter];
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
  return code < 0 ? 0 : ba_put_utf8(out, (unsigned)code);
}

static bool fail_string(const char *at, const char *end, struct ba_error *err)
{
  if(at == end)
    return ba_error_set(err, BA_DECODE, NULL, "a string without its closing quote");
  if((unsigned char)*at >= 0x80)
    return ba_error_set(err, BA_DECODE, NULL, "a string that is not valid UTF-8");
  return ba_error_set(err, BA_DECODE, NULL, "a control character in a string");
}

/* ---- many bytes at once -------------------------------------------------- */

enum { BLOCK = 32, MARGIN = 2 * BLOCK + 1 };

/* Copies BLOCK bytes and gives a bit for each of them that is not plain. */
typedef uint32_t copy_block(char *out, const char *at);

/* Copies from *from on, two-letter escapes undone, and gives the end of what it
 * wrote; what it writes behind that is void. Stops at what needs a closer look,
 * or within MARGIN bytes of `end`. An escape moves what follows it: the rest of
 * the block is copied again, which is cheaper than to look at it again. */
static inline char *copy_blocks(const char **from, const char *end, char *out, copy_block *copy)
{
  const char *at = *from;
  if(end - at < MARGIN)
    return out;
  const char *last = end - MARGIN;
  while(at <= last) {
    uint32_t special = copy(out, at);
    if(!special) {
      at += BLOCK;
      out += BLOCK;
      continue;
    }
    const char *next = at + BLOCK;
    do {
      size_t index = (unsigned)__builtin_ctz(special);
      at += index;
      out += index;
      char letter = *at == '\\' ? ba_unescaped[(unsigned char)at[1]] : '\0';
      if(!letter) {
        *from = at;
        return out;
      }
      *out++ = letter;
      at += 2;
      copy(out, at);
      special = special >> index >> 2;
    } while(special);
    if(at < next) { /* an escape that begins with the block's last byte ends behind it */
      out += next - at;
      at = next;
    }
  }
  *from = at;
  return out;
}

#if defined(BA_JSON_SSE2)
static inline uint32_t copy_block_sse2(char *out, const char *at)
{
  __m128i low = _mm_loadu_si128((const __m128i *)(const void *)at);
  __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(at + 16));
  _mm_storeu_si128((__m128i *)(void *)out, low);
  _mm_storeu_si128((__m128i *)(void *)(out + 16), high);
  return ba_special_bytes(low) | (uint32_t)ba_special_bytes(high) << 16;
}
#endif

#if defined(BA_JSON_SSE2) && BA_JSON_WIDTH >= 32
#define BA_JSON_AVX2 1
#define TARGET_AVX2 __attribute__((target("avx2,bmi2")))

/* As ba_special_bytes(), of 32 bytes. */
static inline TARGET_AVX2 uint32_t copy_block_avx2(char *out, const char *at)
{
  __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
  _mm256_storeu_si256((__m256i *)(void *)out, bytes);
  __m256i above =
      _mm256_cmpgt_epi8(_mm256_xor_si256(bytes, _mm256_set1_epi8(2)), _mm256_set1_epi8(' '));
  __m256i escape = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
  return ~(uint32_t)_mm256_movemask_epi8(_mm256_andnot_si256(escape, above));
}
#endif

/* ---- strings ------------------------------------------------------------- */

/* The first byte from `at` on that is neither plain nor of a valid UTF-8
 * sequence; may go a sequence's rest beyond `stop`, but not `end`. */
static inline const char *skip_text(const char *at, const char *stop, const char *end)
{
  for(;;) {
    at = ba_skip_plain(at, stop);
    if(at >= stop || (unsigned char)*at < 0x80)
      return at;
    /* text that is not ASCII comes in runs: stay here while it lasts */
    do {
      unsigned length = ba_utf8_sequence((const unsigned char *)at, (const unsigned char *)end);
      if(length == 0)
        return at;
      at += length;
    } while(at < stop && (unsigned char)*at >= 0x80);
  }
}

enum { STEP_BYTES = 4096, STEP_ROOM = STEP_BYTES + 16 };

enum step { STEP_FAILED, STEP_CLOSED, STEP_MORE };

/* Reads on until `stop`, or a little further, or to the closing quote; *out has
 * STEP_ROOM bytes. */
static inline __attribute__((always_inline)) enum step unescape_step(const char **at,
                                                                     const char *stop,
                                                                     const char *end, char **out,
                                                                     struct ba_error *err,
                                                                     copy_block *copy)
{
  while(*at < stop) {
    if(copy)
      *out = copy_blocks(at, stop, *out, copy);
    if(**at != '\\') {
      const char *run = *at;
      *at = skip_text(run, stop, end);
      memcpy(*out, run, (size_t)(*at - run));
      *out += *at - run;
      if(*at >= stop)
        break;
    }
    if(**at != '\\')
      return **at == '"' || fail_string(*at, end, err) ? STEP_CLOSED : STEP_FAILED;
    size_t length = read_escape(at, end, *out, err);
    if(length == 0)
      return STEP_FAILED;
    *out += length;
  }
  return STEP_MORE;
}

#if defined(BA_JSON_AVX2)
static TARGET_AVX2 __attribute__((noinline)) enum step unescape_step_avx2(
    const char **at, const char *stop, const char *end, char **out, struct ba_error *err)
{
  return unescape_step(at, stop, end, out, err, copy_block_avx2);
}
#endif

static enum step unescape_fast(const char **at, const char *stop, const char *end, char **out,
                               struct ba_error *err)
{
#if defined(BA_JSON_AVX2)
  if(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
    return unescape_step_avx2(at, stop, end, out, err);
#endif
#if defined(BA_JSON_SSE2)
  return unescape_step(at, stop, end, out, err, copy_block_sse2);
#else
  return unescape_step(at, stop, end, out, err, NULL);
#endif
}

/* The rest of a string from its first escape on, into `scratch`. It is not
 * longer there than it is in the text: room is made for many bytes at once. */
static __attribute__((noinline)) bool unescape(const char **at, const char *end,
                                               struct ba_buffer *scratch, struct ba_error *err)
{
  for(;;) {
    if(*at == end)
      return fail_string(*at, end, err);
    size_t left = (size_t)(end - *at), step = left < STEP_BYTES ? left : STEP_BYTES;
    if(!ba_buffer_reserve(scratch, step + STEP_ROOM - STEP_BYTES, err))
      return false;
    char *out = scratch->bytes + scratch->length;
    enum step result = unescape_fast(at, *at + step, end, &out, err);
    scratch->length = (size_t)(out - scratch->bytes);
    if(result != STEP_MORE) {
      *out = '\0';
      return result == STEP_CLOSED;
    }
  }
}

bool ba_json_read_rest(const char *first, const char **at, const char *end,
                       struct ba_buffer *scratch, const char **string, size_t *length,
                       struct ba_error *err)
{
  *at = skip_text(*at, end, end);
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

bool ba_json_read_string(const char **at, const char *end, struct ba_buffer *scratch,
                         const char **string, size_t *length, struct ba_error *err)
{
  return ba_json_read_rest(*at, at, end, scratch, string, length, err);
}
