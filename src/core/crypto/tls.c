#include "crypto/tls.h"

#include "batchapi/version.h"

#include <string.h>

#include <openssl/ssl.h>

bool ba_tls_speaks_http2(void *ssl)
{
  const unsigned char *name = NULL;
  unsigned length = 0;
  if(!ssl)
    return false;
  SSL_get0_alpn_selected(ssl, &name, &length);
  return length == 2 && memcmp(name, "h2", 2) == 0;
}

static void copy_name(X509_NAME *name, char *out)
{
  out[0] = '\0';
  if(X509_NAME_get_text_by_NID(name, NID_organizationName, out, BA_TLS_ISSUER_MAX) <= 0)
    X509_NAME_get_text_by_NID(name, NID_commonName, out, BA_TLS_ISSUER_MAX);
}

/* OpenSSL's answer stands; who issued what it does not believe is kept. */
static int on_verify(int believed, X509_STORE_CTX *store)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  X509 *certificate = X509_STORE_CTX_get_current_cert(store);
  char *out = ssl ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL;
  if(!believed && out && certificate)
    copy_name(X509_get_issuer_name(certificate), out);
  return believed;
}

void ba_tls_note_issuer(void *ssl_context, char *out)
{
  SSL_CTX_set_app_data(ssl_context, out);
  SSL_CTX_set_verify(ssl_context, SSL_CTX_get_verify_mode(ssl_context), on_verify);
}

struct ba_two_versions ba_tls_versions(void)
{
  return (struct ba_two_versions){OPENSSL_VERSION_STR, OpenSSL_version(OPENSSL_VERSION_STRING)};
}

void ba_tls_start(void)
{
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
}
