/* Escapes in strings, for those who read JSON: the strict reading in json_
 * unescape.c, the lenient one in json_mend.c. */
#ifndef BA_JSON_ESCAPE_H
#define BA_JSON_ESCAPE_H

#include "batchapi/utf8.h"

/* A hexadecimal digit's value, and DIGIT to tell it from what is none. */
enum { DIGIT = 0x10 };
static const unsigned char ba_hexadecimal[256] = {
    ['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14, ['5'] = 0x15,
    ['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19, ['A'] = 0x1A, ['B'] = 0x1B,
    ['C'] = 0x1C, ['D'] = 0x1D, ['E'] = 0x1E, ['F'] = 0x1F, ['a'] = 0x1A, ['b'] = 0x1B,
    ['c'] = 0x1C, ['d'] = 0x1D, ['e'] = 0x1E, ['f'] = 0x1F};

/* The value of the four hexadecimal digits at `at`, or -1. */
static inline int ba_hex4(const char *at, const char *end)
{
  if(end - at < 4)
    return -1;
  int a = ba_hexadecimal[(unsigned char)at[0]], b = ba_hexadecimal[(unsigned char)at[1]];
  int c = ba_hexadecimal[(unsigned char)at[2]], d = ba_hexadecimal[(unsigned char)at[3]];
  if(!(a & b & c & d & DIGIT))
    return -1;
  return (a & 15) << 12 | (b & 15) << 8 | (c & 15) << 4 | (d & 15);
}

/* What stands for the letter of a two-letter escape; 0: no such escape. */
static const char ba_unescaped[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                       ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

#endif
