/* CRC-32C (Castagnoli): finds every damage of up to 32 bits in a row, and any
 * three flipped bits in a line of up to 256 MiB. Not against people: who means
 * to forge a line can. */
#ifndef BA_CRC32C_H
#define BA_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of these bytes behind those that `crc` is of; 0: nothing before. */
uint32_t ba_crc32c(uint32_t crc, const void *bytes, size_t length);

/* Tests only: the same without the processor's instruction. */
uint32_t ba_crc32c_table(uint32_t crc, const void *bytes, size_t length);

#endif
