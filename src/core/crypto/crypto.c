#include "batchapi/crypto.h"

#include "batchapi/alloc.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

struct ba_key {
  EVP_PKEY *pkey;
};

/* OpenSSL's last word on the matter, e.g. "dmp1 not congruent to d"; its queue
 * is emptied, since it belongs to the thread and not to us. */
static const char *reason(void)
{
  const char *text = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return text ? text : "no reason given";
}

static bool failed(struct ba_error *err, const char *what)
{
  return ba_error_set(err, BA_INVALID, "crypto", "%s: %s", what, reason());
}

/* ---- digests and random bytes -------------------------------------------- */

bool ba_sha256(const void *bytes, size_t length, unsigned char out[BA_SHA256_SIZE],
               struct ba_error *err)
{
  return EVP_Digest(bytes, length, out, NULL, EVP_sha256(), NULL) == 1 || failed(err, "SHA-256");
}

bool ba_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                    unsigned char out[BA_SHA256_SIZE], struct ba_error *err)
{
  return HMAC(EVP_sha256(), key, (int)key_length, bytes, length, out, NULL) != NULL ||
         failed(err, "HMAC");
}

bool ba_equal_in_constant_time(const void *a, const void *b, size_t length)
{
  return CRYPTO_memcmp(a, b, length) == 0;
}

/* ---- keys ---------------------------------------------------------------- */

/* Makes the key of the parameters that `build` holds, and proves it. */
static struct ba_key *make_key(const char *type, OSSL_PARAM_BLD *build, struct ba_error *err)
{
  struct ba_key *key = ba_calloc(1, sizeof(*key));
  OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  EVP_PKEY_CTX *check = NULL;
  bool ok = key && params && context;
  if(!ok)
    ba_error_nomem(err);
  else if(EVP_PKEY_fromdata_init(context) != 1 ||
          EVP_PKEY_fromdata(context, &key->pkey, EVP_PKEY_KEYPAIR, params) != 1)
    ok = failed(err, "the key's numbers are not a key");
  else if((check = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL)) == NULL)
    ok = ba_error_nomem(err);
  else if(EVP_PKEY_check(check) != 1)
    ok = failed(err, "the key's numbers do not belong together");
  EVP_PKEY_CTX_free(check);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(params);
  if(ok)
    return key;
  ba_key_delete(key);
  return NULL;
}

void ba_key_delete(struct ba_key *key)
{
  if(!key)
    return;
  EVP_PKEY_free(key->pkey);
  ba_free(key);
}

static const char *const rsa_params[BA_RSA_NUMBERS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

/* BN_secure_new() also marks the number, so that the parameter block made of
 * it is wiped when it is freed. */
static BIGNUM *make_number(const struct ba_number *number)
{
  BIGNUM *made = BN_secure_new();
  if(made && !BN_bin2bn(number->bytes, (int)number->length, made)) {
    BN_clear_free(made);
    return NULL;
  }
  return made;
}

/* What EVP_PKEY_check() would take minutes for, or take. */
static bool check_rsa_size(const BIGNUM *n, const BIGNUM *e, struct ba_error *err)
{
  int bits = BN_num_bits(n);
  if(bits < BA_RSA_MIN_BITS || bits > BA_RSA_MAX_BITS)
    return ba_error_set(err, BA_INVALID, "key_size",
                        "the RSA key has %d bits; %d to %d are accepted", bits, BA_RSA_MIN_BITS,
                        BA_RSA_MAX_BITS);
  if(BN_num_bits(e) > 64 || !BN_is_odd(e) || BN_is_one(e))
    return ba_error_set(err, BA_INVALID, "key_exponent",
                        "the RSA key's e is not a public exponent");
  return true;
}

static bool is_oversize(const struct ba_number *number)
{
  return number->length > BA_RSA_MAX_BITS / 8 + 1;
}

struct ba_key *ba_key_rsa(const struct ba_number numbers[BA_RSA_NUMBERS], struct ba_error *err)
{
  BIGNUM *bn[BA_RSA_NUMBERS] = {NULL};
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  struct ba_key *key = NULL;
  bool ok = build != NULL || ba_error_nomem(err);
  for(int i = 0; ok && i < BA_RSA_NUMBERS; i++) {
    if(is_oversize(&numbers[i]))
      ok = ba_error_set(err, BA_INVALID, "key_size", "the RSA key has more than %d bits",
                        BA_RSA_MAX_BITS);
    else
      ok = (bn[i] = make_number(&numbers[i])) != NULL || ba_error_nomem(err);
  }
  ok = ok && check_rsa_size(bn[BA_RSA_N], bn[BA_RSA_E], err);
  for(int i = 0; ok && i < BA_RSA_NUMBERS; i++)
    ok = OSSL_PARAM_BLD_push_BN(build, rsa_params[i], bn[i]) == 1 || ba_error_nomem(err);
  if(ok)
    key = make_key("RSA", build, err);
  OSSL_PARAM_BLD_free(build);
  for(int i = 0; i < BA_RSA_NUMBERS; i++)
    BN_clear_free(bn[i]);
  return key;
}

struct ba_key *ba_key_p256(const unsigned char x[BA_P256_SIZE], const unsigned char y[BA_P256_SIZE],
                           const unsigned char d[BA_P256_SIZE], struct ba_error *err)
{
  unsigned char point[1 + 2 * BA_P256_SIZE];
  point[0] = 4; /* uncompressed */
  memcpy(point + 1, x, BA_P256_SIZE);
  memcpy(point + 1 + BA_P256_SIZE, y, BA_P256_SIZE);
  const struct ba_number scalar = {d, BA_P256_SIZE};
  BIGNUM *secret = make_number(&scalar);
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  struct ba_key *key = NULL;
  if(!secret || !build ||
     OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
     OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) != 1 ||
     OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret) != 1)
    ba_error_nomem(err);
  else
    key = make_key("EC", build, err);
  OSSL_PARAM_BLD_free(build);
  BN_clear_free(secret);
  return key;
}

/* ---- signatures ---------------------------------------------------------- */

/* RSASSA-PSS as RFC 7518, 3.5 wants it: salt as long as the digest. */
static bool set_padding(EVP_PKEY_CTX *context, enum ba_jws_algorithm algorithm)
{
  return algorithm != BA_PS256 ||
         (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
          EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0);
}

static bool fits(const struct ba_key *key, enum ba_jws_algorithm algorithm)
{
  return EVP_PKEY_is_a(key->pkey, algorithm == BA_ES256 ? "EC" : "RSA");
}

/* OpenSSL gives DER; JWS wants r and s in 32 bytes each (RFC 7518, 3.4). */
static bool append_raw_ecdsa(const unsigned char *der, size_t length, struct ba_buffer *out,
                             struct ba_error *err)
{
  unsigned char raw[2 * BA_P256_SIZE];
  ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)length);
  bool ok = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, BA_P256_SIZE) == BA_P256_SIZE &&
            BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + BA_P256_SIZE, BA_P256_SIZE) == BA_P256_SIZE;
  ECDSA_SIG_free(pair);
  if(!ok)
    return failed(err, "signing");
  return ba_buffer_append(out, raw, sizeof(raw), err);
}

bool ba_key_sign(struct ba_key *key, enum ba_jws_algorithm algorithm, const void *bytes,
                 size_t length, struct ba_buffer *out, struct ba_error *err)
{
  unsigned char signature[BA_RSA_MAX_BITS / 8];
  size_t size = sizeof(signature);
  EVP_PKEY_CTX *context = NULL;
  if(!fits(key, algorithm))
    return ba_error_set(err, BA_INVALID, "algorithm", "the key is not for this algorithm");
  EVP_MD_CTX *digest = EVP_MD_CTX_new();
  if(!digest)
    return ba_error_nomem(err);
  bool ok = EVP_DigestSignInit_ex(digest, &context, "SHA256", NULL, NULL, key->pkey, NULL) == 1 &&
            set_padding(context, algorithm) &&
            EVP_DigestSign(digest, signature, &size, bytes, length) == 1;
  EVP_MD_CTX_free(digest);
  if(!ok)
    return failed(err, "signing");
  return algorithm == BA_ES256 ? append_raw_ecdsa(signature, size, out, err)
                               : ba_buffer_append(out, signature, size, err);
}

/* The way back: DER of r and s; 0 if it cannot be. The caller frees *der. */
static int ecdsa_der(const unsigned char *raw, size_t length, unsigned char **der)
{
  if(length != 2 * BA_P256_SIZE)
    return 0;
  ECDSA_SIG *pair = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(raw, BA_P256_SIZE, NULL);
  BIGNUM *s = BN_bin2bn(raw + BA_P256_SIZE, BA_P256_SIZE, NULL);
  int size = 0;
  if(pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
    r = s = NULL;
    size = i2d_ECDSA_SIG(pair, der);
  }
  BN_free(r);
  BN_free(s);
  ECDSA_SIG_free(pair);
  return size > 0 ? size : 0;
}

bool ba_key_verify(struct ba_key *key, enum ba_jws_algorithm algorithm, const void *bytes,
                   size_t length, const void *signature, size_t signature_length)
{
  unsigned char *der = NULL;
  EVP_PKEY_CTX *context = NULL;
  if(!fits(key, algorithm))
    return false;
  if(algorithm == BA_ES256) {
    signature_length = (size_t)ecdsa_der(signature, signature_length, &der);
    signature = der;
    if(!der)
      return false;
  }
  EVP_MD_CTX *digest = EVP_MD_CTX_new();
  bool ok = digest &&
            EVP_DigestVerifyInit_ex(digest, &context, "SHA256", NULL, NULL, key->pkey, NULL) == 1 &&
            set_padding(context, algorithm) &&
            EVP_DigestVerify(digest, signature, signature_length, bytes, length) == 1;
  EVP_MD_CTX_free(digest);
  OPENSSL_free(der);
  ERR_clear_error();
  return ok;
}
