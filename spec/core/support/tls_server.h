/* nginx for tests, on free loopback ports, for what server.h does not speak:
 * TLS, HTTP/2 and client certificates. Start it before any thread.
 *
 * An answer is four words: "HTTP/2.0 17 tls:r cert:NONE", that is protocol,
 * number of the connection, "r" where the TLS session was resumed and "." where
 * not, and what was made of the client's certificate. Below /close each answer
 * is its connection's last. /slow takes minutes, and has the words in the header
 * X-Words. */
#ifndef SPEC_TLS_SERVER_H
#define SPEC_TLS_SERVER_H

enum tls_listener {
  TLS_H2,          /* HTTP/2 and HTTP/1.1 by ALPN; 127.0.0.1 and localhost */
  TLS_H1,          /* HTTP/1.1 only */
  TLS_OTHER_NAME,  /* its certificate is another host's */
  TLS_CLIENT_CERT, /* a client certificate is required; HTTP/2 as well */
  TLS_NONE,        /* no TLS; HTTP/2 from the first byte */
  TLS_LISTENERS
};

struct tls_server;

struct tls_server *tls_start(void); /* aborts if it cannot */
void tls_stop(struct tls_server *server);
const char *tls_url(const struct tls_server *server, enum tls_listener listener, const char *path);
int tls_port(const struct tls_server *server, enum tls_listener listener);
/* PEM files: ca.pem has signed the servers' and client.pem (with client.key),
 * other-ca.pem has signed stranger.pem (with stranger.key). A ring of texts. */
const char *tls_file(const struct tls_server *server, const char *name);

#endif
