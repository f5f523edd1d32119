#include "batchapi/json.h"
#include "batchapi/json_bytes.h"

#include <string.h>

/* Copies plain bytes from *at to `out` until one is not plain, or `room`
 * (16 at least) is used up; gives how many. May write up to 16 bytes more than
 * it gives, but within the room. */
static inline size_t copy_plain(const char **at, const char *end, char *out, size_t room)
{
  size_t done = 0;
#if defined(BA_JSON_SSE2)
  while(end - *at >= 32 && room - done >= 32) {
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)*at);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(*at + 16));
    _mm_storeu_si128((__m128i *)(void *)(out + done), low);
    _mm_storeu_si128((__m128i *)(void *)(out + done + 16), high);
    unsigned mask = ba_special_bytes(low) | ba_special_bytes(high) << 16;
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
    unsigned mask = ba_special_bytes(bytes);
    if(mask) {
      size_t length = (size_t)__builtin_ctz(mask);
      *at += length;
      return done + length;
    }
    *at += 16;
    done += 16;
  }
#endif
  while(*at < end && done < room && ba_is_plain((unsigned char)**at))
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
    if(!ba_is_plain((unsigned char)text[i]))
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
    } else if(!ba_is_plain(byte)) {
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
