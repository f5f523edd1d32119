#include "batchapi/base64.h"

#include <stdint.h>

static const char plain_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool encode(struct ba_buffer *out, const unsigned char *in, size_t length,
                   const char *alphabet, bool pad, struct ba_error *err)
{
  if(!ba_buffer_reserve(out, (length + 2) / 3 * 4, err))
    return false;
  char *to = out->bytes + out->length;
  for(size_t i = 0; i < length; i += 3) {
    size_t have = length - i < 3 ? length - i : 3;
    uint32_t bits = (uint32_t)in[i] << 16;
    if(have > 1)
      bits |= (uint32_t)in[i + 1] << 8;
    if(have > 2)
      bits |= in[i + 2];
    for(size_t k = 0; k <= have; k++)
      *to++ = alphabet[bits >> (18 - 6 * k) & 63];
    for(size_t k = have; pad && k < 3; k++)
      *to++ = '=';
  }
  *to = '\0';
  out->length = (size_t)(to - out->bytes);
  return true;
}

bool ba_base64_encode(struct ba_buffer *out, const void *bytes, size_t length, struct ba_error *err)
{
  return encode(out, bytes, length, plain_alphabet, true, err);
}

bool ba_base64url_encode(struct ba_buffer *out, const void *bytes, size_t length,
                         struct ba_error *err)
{
  return encode(out, bytes, length, url_alphabet, false, err);
}

/* The value of a character by arithmetic, so that no table is indexed by a
 * secret. -1: not of the alphabet. */
static int value_of(char c, const char *alphabet)
{
  if(c >= 'A' && c <= 'Z')
    return c - 'A';
  if(c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if(c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

static bool not_base64(struct ba_error *err)
{
  return ba_error_set(err, BA_INVALID, "base64", "not base64");
}

/* The text has no padding here. */
static bool decode(struct ba_buffer *out, const char *text, size_t length, const char *alphabet,
                   struct ba_error *err)
{
  if(length % 4 == 1)
    return not_base64(err);
  if(!ba_buffer_reserve(out, length / 4 * 3 + 2, err))
    return false;
  size_t start = out->length;
  uint32_t bits = 0;
  unsigned count = 0;
  for(size_t i = 0; i < length; i++) {
    int value = value_of(text[i], alphabet);
    if(value < 0) {
      out->length = start;
      return not_base64(err);
    }
    bits = bits << 6 | (uint32_t)value;
    count += 6;
    if(count >= 8) {
      count -= 8;
      out->bytes[out->length++] = (char)(bits >> count & 0xFF);
    }
  }
  bool stray = (bits & ((1u << count) - 1)) != 0;
  if(stray)
    out->length = start;
  out->bytes[out->length] = '\0';
  return !stray || not_base64(err);
}

bool ba_base64_decode(struct ba_buffer *out, const char *text, size_t length, struct ba_error *err)
{
  if(length % 4 != 0)
    return not_base64(err);
  for(int i = 0; i < 2 && length > 0 && text[length - 1] == '='; i++)
    length--;
  return decode(out, text, length, plain_alphabet, err);
}

bool ba_base64url_decode(struct ba_buffer *out, const char *text, size_t length,
                         struct ba_error *err)
{
  return decode(out, text, length, url_alphabet, err);
}
