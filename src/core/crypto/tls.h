/* What is asked of OpenSSL about a connection that libcurl has made. */
#ifndef BA_TLS_H
#define BA_TLS_H

#include <stdbool.h>

#define BA_TLS_ISSUER_MAX 160

/* Was HTTP/2 agreed on? `ssl` is the connection's SSL; NULL is none. */
bool ba_tls_speaks_http2(void *ssl);

/* When a certificate of that SSL_CTX's connection is not believed, its issuer's
 * name is put into `out` (organization, else common name), of BA_TLS_ISSUER_MAX
 * bytes, which must live as long as the context does. */
void ba_tls_note_issuer(void *ssl_context, char *out);

/* Once, before a program registers what is to run before OpenSSL's end. */
void ba_tls_start(void);

#endif
