/* A private key in JSON (RFC 7517, RFC 7518 section 6): RSA with all eight
 * numbers, or EC on P-256. The numbers are checked against each other before
 * the key is believed. */
#ifndef BA_JWK_H
#define BA_JWK_H

#include "batchapi/crypto.h"
#include "batchapi/error.h"

#include <stddef.h>

#define BA_JWK_KID_MAX 256

struct ba_jwk {
  struct ba_key *key;
  enum ba_jws_algorithm algorithm; /* `alg`; RS256 or ES256 when it is absent */
  char kid[BA_JWK_KID_MAX];        /* "" when it is absent */
};

/* Reads the JWK that the document is (`within` NULL), or that is its member
 * `within` ("jwk"). BA_INVALID with the field's name in the message when one
 * is missing, not base64url, or does not belong to the others; BA_DECODE when
 * the document is not JSON. Free with ba_jwk_free(); after a failure there is
 * nothing to free. */
bool ba_jwk_read(const char *json, size_t length, const char *within, struct ba_jwk *out,
                 struct ba_error *err);
void ba_jwk_free(struct ba_jwk *jwk);

/* "RS256", … Static text. */
const char *ba_jws_algorithm_name(enum ba_jws_algorithm algorithm);

#endif
