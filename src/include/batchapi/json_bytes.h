/* Looking at text 16 bytes at once, for those who read and write JSON: the
 * core's json_*.c, and the decoder of the binding. */
#ifndef BA_JSON_BYTES_H
#define BA_JSON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How many bytes at once at most, where the processor can: 32, 16 or 1. The
 * tests ask for fewer, to compare. */
#ifndef BA_JSON_WIDTH
#define BA_JSON_WIDTH 32
#endif
#if defined(__SSE2__) && BA_JSON_WIDTH >= 16
#define BA_JSON_SSE2 1
#include <immintrin.h>
#endif

/* Are the two the same? For keys and words, where memcmp() costs more in being
 * called than in comparing. */
static inline bool ba_same_bytes(const char *one, const char *other, size_t length)
{
  uint64_t left, right;
  uint32_t head, tail, other_head, other_tail;
  if(length >= 8) {
    for(size_t i = 0; i + 8 < length; i += 8) {
      memcpy(&left, one + i, 8);
      memcpy(&right, other + i, 8);
      if(left != right)
        return false;
    }
    memcpy(&left, one + length - 8, 8);
    memcpy(&right, other + length - 8, 8);
    return left == right;
  }
  if(length >= 4) {
    memcpy(&head, one, 4);
    memcpy(&other_head, other, 4);
    memcpy(&tail, one + length - 4, 4);
    memcpy(&other_tail, other + length - 4, 4);
    return head == other_head && tail == other_tail;
  }
  for(size_t i = 0; i < length; i++) {
    if(one[i] != other[i])
      return false;
  }
  return true;
}

/* A byte that can be copied as it is, in a string read or written, without a
 * further look: printable ASCII but not '"' and '\\'. */
static inline bool ba_is_plain(unsigned char byte)
{
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

#if defined(BA_JSON_SSE2)
/* A bit for each of the 16 bytes that is not plain. */
static inline unsigned ba_special_bytes(__m128i bytes)
{
  const __m128i two = _mm_set1_epi8(2), space = _mm_set1_epi8(' '), escape = _mm_set1_epi8('\\');
  /* With bit 1 turned over, '"' is ' '; what was below that is so still, ' '
   * itself is not, and bytes from 0x80 on are below it as signed ones are. */
  __m128i above = _mm_cmpgt_epi8(_mm_xor_si128(bytes, two), space);
  __m128i plain = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, escape), above);
  return (unsigned)_mm_movemask_epi8(plain) ^ 0xFFFF;
}
#endif

/* The first byte from `at` on that is not plain. */
static inline const char *ba_skip_plain(const char *at, const char *end)
{
#if defined(BA_JSON_SSE2)
  while(end - at >= 16) {
    unsigned mask = ba_special_bytes(_mm_loadu_si128((const __m128i *)(const void *)at));
    if(mask)
      return at + __builtin_ctz(mask);
    at += 16;
  }
#endif
  while(at < end && ba_is_plain((unsigned char)*at))
    at++;
  return at;
}

#endif
