/* The reading of JSON strings as it is on other processors: with 16 bytes at
 * once, and with one. */
#ifndef SPEC_JSON_WIDTH_H
#define SPEC_JSON_WIDTH_H

#include "batchapi/buffer.h"
#include "batchapi/error.h"

typedef bool read_string(const char **at, const char *end, struct ba_buffer *scratch,
                         const char **string, size_t *length, struct ba_error *err);
read_string read_string_by_1, read_string_by_16;

#endif
