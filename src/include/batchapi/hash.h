/* SHA-256, all at once or piece by piece. */
#ifndef BA_HASH_H
#define BA_HASH_H

#include "error.h"

#include <stddef.h>

enum { BA_SHA256_BYTES = 32, BA_SHA256_HEX = 65 /* with the NUL */ };

struct ba_sha256;

struct ba_sha256 *ba_sha256_new(struct ba_error *err);
void ba_sha256_free(struct ba_sha256 *hash); /* NULL is allowed */
bool ba_sha256_update(struct ba_sha256 *hash, const void *bytes, size_t length,
                      struct ba_error *err);
/* The hash of what came so far, in lower-case hexadecimal; more may follow. */
bool ba_sha256_hex(const struct ba_sha256 *hash, char out[BA_SHA256_HEX], struct ba_error *err);

#endif
