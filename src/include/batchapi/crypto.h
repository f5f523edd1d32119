/* What the core asks of OpenSSL, in the core's own words: random bytes,
 * SHA-256, HMAC, and private keys that sign. Only crypto.c includes openssl/
 * for it. A key is counted by nobody: its owner deletes it, and OpenSSL wipes
 * its numbers. One thread at a time per key. */
#ifndef BA_CRYPTO_H
#define BA_CRYPTO_H

#include "buffer.h"
#include "error.h"
#include "random.h"

#include <stddef.h>

#define BA_SHA256_SIZE 32
#define BA_RSA_MIN_BITS 2048 /* RFC 7518, 3.3 */
#define BA_RSA_MAX_BITS 8192
#define BA_P256_SIZE 32 /* bytes of a coordinate */

bool ba_sha256(const void *bytes, size_t length, unsigned char out[BA_SHA256_SIZE],
               struct ba_error *err);
bool ba_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                    unsigned char out[BA_SHA256_SIZE], struct ba_error *err);
/* Takes as long for a difference in the first byte as for none. */
bool ba_equal_in_constant_time(const void *a, const void *b, size_t length);

/* Signature algorithms by their JOSE names (RFC 7518, 3.1). */
enum ba_jws_algorithm { BA_RS256, BA_PS256, BA_ES256 };

struct ba_number { /* big-endian, no sign */
  const unsigned char *bytes;
  size_t length;
};

enum ba_rsa_number { /* in the order of ba_rsa_number_name() */
                     BA_RSA_N,
                     BA_RSA_E,
                     BA_RSA_D,
                     BA_RSA_P,
                     BA_RSA_Q,
                     BA_RSA_DP,
                     BA_RSA_DQ,
                     BA_RSA_QI,
                     BA_RSA_NUMBERS
};

struct ba_key;

/* Both check that the numbers belong together (primes, exponents, the point on
 * the curve); BA_INVALID with the reason if they do not. The caller wipes its
 * numbers. */
struct ba_key *ba_key_rsa(const struct ba_number numbers[BA_RSA_NUMBERS], struct ba_error *err);
struct ba_key *ba_key_p256(const unsigned char x[BA_P256_SIZE], const unsigned char y[BA_P256_SIZE],
                           const unsigned char d[BA_P256_SIZE], struct ba_error *err);
void ba_key_delete(struct ba_key *key); /* NULL is allowed */

/* Appends the signature in the form JWS wants it (ES256: r and s, 64 bytes). */
bool ba_key_sign(struct ba_key *key, enum ba_jws_algorithm algorithm, const void *bytes,
                 size_t length, struct ba_buffer *out, struct ba_error *err);
/* True if the signature in that form is this key's. */
bool ba_key_verify(struct ba_key *key, enum ba_jws_algorithm algorithm, const void *bytes,
                   size_t length, const void *signature, size_t signature_length);

#endif
