#include "batchapi/crc32c.h"

#include "system/system.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* ---- by tables: eight bytes at a time ------------------------------------ */

static uint32_t tables[8][256];

static void make_tables(void)
{
  for(uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for(int bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
    tables[0][i] = crc;
  }
  for(uint32_t i = 0; i < 256; i++) {
    for(int t = 1; t < 8; t++)
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 255];
  }
}

uint32_t ba_crc32c_table(uint32_t crc, const void *bytes, size_t length)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_tables);
  const unsigned char *at = bytes;
  crc = ~crc;
  for(; length >= 8; length -= 8, at += 8) {
    crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    crc = tables[7][crc & 255] ^ tables[6][crc >> 8 & 255] ^ tables[5][crc >> 16 & 255] ^
          tables[4][crc >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
          tables[0][at[7]];
  }
  for(; length; length--, at++)
    crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 255];
  return ~crc;
}

/* ---- by the processor, where it can ---------------------------------------- */

#if defined(__x86_64__) && defined(__GNUC__)

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const void *bytes,
                                                                 size_t length)
{
  const unsigned char *at = bytes;
  uint64_t wide = (uint32_t)~crc;
  for(; length >= 8; length -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    wide = __builtin_ia32_crc32di(wide, word);
  }
  uint32_t narrow = (uint32_t)wide;
  for(; length; length--, at++)
    narrow = __builtin_ia32_crc32qi(narrow, *at);
  return ~narrow;
}

#elif defined(__aarch64__) && defined(__GNUC__)

#include <arm_acle.h>

__attribute__((target("+crc"))) static uint32_t by_instruction(uint32_t crc, const void *bytes,
                                                               size_t length)
{
  const unsigned char *at = bytes;
  crc = ~crc;
  for(; length >= 8; length -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    crc = __crc32cd(crc, word);
  }
  for(; length; length--, at++)
    crc = __crc32cb(crc, *at);
  return ~crc;
}

#else

static uint32_t by_instruction(uint32_t crc, const void *bytes, size_t length)
{
  return ba_crc32c_table(crc, bytes, length);
}

#endif

uint32_t ba_crc32c(uint32_t crc, const void *bytes, size_t length)
{
  return ba_cpu_has_crc32c() ? by_instruction(crc, bytes, length)
                             : ba_crc32c_table(crc, bytes, length);
}
