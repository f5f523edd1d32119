/* UTF-8 (RFC 3629). */
#ifndef BA_UTF8_H
#define BA_UTF8_H

#include <stddef.h>

/* The length of the UTF-8 sequence at `at` (before `end`): 1 to 4, or 0 if it
 * is none (cut, overlong, surrogate, beyond U+10FFFF). */
unsigned ba_utf8_sequence(const unsigned char *at, const unsigned char *end);

/* Writes one to four bytes. */
static inline size_t ba_put_utf8(char *out, unsigned code)
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

#endif
