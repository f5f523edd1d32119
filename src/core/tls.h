/* What is asked of OpenSSL about a connection that libcurl has made. */
#ifndef BA_TLS_H
#define BA_TLS_H

#include <stdbool.h>

/* Was HTTP/2 agreed on? `ssl` is the connection's SSL; NULL is none. */
bool ba_tls_speaks_http2(void *ssl);

#endif
