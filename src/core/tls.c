#include "tls.h"

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
