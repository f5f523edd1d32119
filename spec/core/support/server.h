/* A small HTTP/1.1 server for tests: a thread per connection on a free
 * loopback port, a function per test that answers. It keeps connections alive
 * unless told otherwise. */
#ifndef SPEC_SERVER_H
#define SPEC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange { /* one request, and the connection to answer on */
  int fd;
  unsigned connection; /* from 1 */
  unsigned number;     /* of this request on its connection, from 1 */
  unsigned total;      /* of all requests of the server, from 1 */
  char method[16];
  char path[1024];
  char head[16384]; /* request line and header fields as they came */
  char *body;       /* NUL-terminated; the first 1 MiB of it */
  size_t body_length;
  bool whole; /* the body came to its end */
  bool close; /* set to close the connection afterwards */
  void *user;
};

struct server;
typedef void (*server_answers)(struct exchange *exchange);

/* port 0: TCP on 127.0.0.1. path: a unix socket instead, NULL: none. */
struct server *server_start(server_answers answers, void *user);
struct server *server_start_unix(const char *path, server_answers answers, void *user);
struct server *server_start_ipv6(server_answers answers, void *user); /* NULL: no IPv6 here */
void server_stop(struct server *server); /* closes every connection, joins every thread */
const char *server_url(const struct server *server, const char *path); /* static ring of texts */
int server_port(const struct server *server);
unsigned server_requests(struct server *server);
unsigned server_connections(struct server *server);
/* Waits (at most 10 s) until it has seen that many requests. */
bool server_waits_for(struct server *server, unsigned requests);

/* For the answering function. `headers`: "Name: value\r\n…" or "". */
void reply(struct exchange *exchange, int status, const char *headers, const char *body);
void reply_bytes(struct exchange *exchange, int status, const char *headers, const char *body,
                 size_t length);
void send_text(struct exchange *exchange, const char *text);
bool send_bytes(struct exchange *exchange, const void *bytes, size_t length);
void reset(struct exchange *exchange); /* RST instead of FIN */
/* Sleeps until the client closes its end or the server stops. */
void wait_for_hangup(struct exchange *exchange);
/* The value of a request header, "" if absent; static per thread. */
const char *request_header(struct exchange *exchange, const char *name);

#endif
