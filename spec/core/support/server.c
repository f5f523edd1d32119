#include "server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BODY_KEPT = 1 << 20, CONNECTIONS_MAX = 4096 };

struct connection {
  struct server *server;
  pthread_t thread;
  int fd;
  unsigned number;
  bool finished;
};

struct server {
  server_answers answers;
  void *user;
  int listener, port, family;
  pthread_t acceptor;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool stopping;
  unsigned requests, connection_count, slots;
  struct connection *connections[CONNECTIONS_MAX];
  char host[128];
};

bool send_bytes(struct exchange *exchange, const void *bytes, size_t length)
{
  const char *at = bytes;
  while(length) {
    ssize_t count = send(exchange->fd, at, length, MSG_NOSIGNAL);
    if(count <= 0)
      return false;
    at += count;
    length -= (size_t)count;
  }
  return true;
}

void send_text(struct exchange *exchange, const char *text)
{
  send_bytes(exchange, text, strlen(text));
}

void reply_bytes(struct exchange *exchange, int status, const char *headers, const char *body,
                 size_t length)
{
  char head[4096];
  int size = snprintf(head, sizeof(head), "HTTP/1.1 %d Status\r\nContent-Length: %zu\r\n%s\r\n",
                      status, length, headers);
  /* In one piece: two small writes wait for each other's acknowledgement. */
  if((size_t)size + length <= sizeof(head)) {
    memcpy(head + size, body, length);
    send_bytes(exchange, head, (size_t)size + length);
    return;
  }
  send_bytes(exchange, head, (size_t)size);
  send_bytes(exchange, body, length);
}

void reply(struct exchange *exchange, int status, const char *headers, const char *body)
{
  reply_bytes(exchange, status, headers, body, strlen(body));
}

void reset(struct exchange *exchange)
{
  struct linger hard = {.l_onoff = 1, .l_linger = 0};
  setsockopt(exchange->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  exchange->close = true;
}

void wait_for_hangup(struct exchange *exchange)
{
  char drop[4096];
  while(recv(exchange->fd, drop, sizeof(drop), 0) > 0)
    ;
  exchange->close = true;
}

const char *request_header(struct exchange *exchange, const char *name)
{
  static _Thread_local char value[1024];
  size_t length = strlen(name);
  for(const char *line = exchange->head; (line = strstr(line, "\r\n")) != NULL;) {
    line += 2;
    if(strncasecmp(line, name, length) == 0 && line[length] == ':') {
      const char *start = line + length + 1;
      while(*start == ' ')
        start++;
      size_t size = strcspn(start, "\r\n");
      if(size >= sizeof(value))
        size = sizeof(value) - 1;
      memcpy(value, start, size);
      value[size] = '\0';
      return value;
    }
  }
  return "";
}

/* What was read beyond the head waits in `held`. */
struct input {
  int fd;
  char held[65536];
  size_t start, length;
};

static bool fill(struct input *input)
{
  if(input->start) {
    memmove(input->held, input->held + input->start, input->length);
    input->start = 0;
  }
  if(input->length == sizeof(input->held))
    return false;
  ssize_t count =
      recv(input->fd, input->held + input->length, sizeof(input->held) - input->length, 0);
  if(count <= 0)
    return false;
  input->length += (size_t)count;
  return true;
}

static bool read_head(struct input *input, struct exchange *exchange)
{
  for(;;) {
    char *begin = input->held + input->start;
    char *end = memmem(begin, input->length, "\r\n\r\n", 4);
    if(end) {
      size_t size = (size_t)(end - begin) + 4;
      if(size >= sizeof(exchange->head))
        return false;
      memcpy(exchange->head, begin, size);
      exchange->head[size] = '\0';
      input->start += size;
      input->length -= size;
      return sscanf(exchange->head, "%15s %1023s", exchange->method, exchange->path) == 2;
    }
    if(!fill(input))
      return false;
  }
}

static bool take(struct input *input, struct exchange *exchange, size_t size)
{
  while(size) {
    if(!input->length && !fill(input))
      return false;
    size_t part = size < input->length ? size : input->length;
    if(exchange && exchange->body_length < BODY_KEPT) {
      size_t kept = BODY_KEPT - exchange->body_length;
      memcpy(exchange->body + exchange->body_length, input->held + input->start,
             part < kept ? part : kept);
    }
    if(exchange)
      exchange->body_length += part;
    input->start += part;
    input->length -= part;
    size -= part;
  }
  return true;
}

static bool read_line(struct input *input, char *out, size_t size)
{
  for(;;) {
    char *begin = input->held + input->start;
    char *end = memmem(begin, input->length, "\r\n", 2);
    if(end) {
      size_t length = (size_t)(end - begin);
      if(length >= size)
        return false;
      memcpy(out, begin, length);
      out[length] = '\0';
      input->start += length + 2;
      input->length -= length + 2;
      return true;
    }
    if(!fill(input))
      return false;
  }
}

static bool read_chunks(struct input *input, struct exchange *exchange)
{
  char line[64];
  for(;;) {
    if(!read_line(input, line, sizeof(line)))
      return false;
    size_t size = strtoul(line, NULL, 16);
    if(size && !take(input, exchange, size))
      return false;
    if(!read_line(input, line, sizeof(line)))
      return false;
    if(size == 0)
      return true;
  }
}

static void read_body(struct input *input, struct exchange *exchange)
{
  exchange->body_length = 0;
  if(strcasecmp(request_header(exchange, "transfer-encoding"), "chunked") == 0)
    exchange->whole = read_chunks(input, exchange);
  else
    exchange->whole =
        take(input, exchange, strtoul(request_header(exchange, "content-length"), NULL, 10));
  size_t kept = exchange->body_length < BODY_KEPT ? exchange->body_length : BODY_KEPT;
  exchange->body[kept] = '\0';
}

static void *serve(void *user)
{
  struct connection *connection = user;
  struct server *server = connection->server;
  struct exchange *exchange = calloc(1, sizeof(*exchange));
  struct input *input = calloc(1, sizeof(*input));
  exchange->body = malloc(BODY_KEPT + 1);
  exchange->fd = input->fd = connection->fd;
  exchange->connection = connection->number;
  exchange->user = server->user;
  while(!exchange->close && read_head(input, exchange)) {
    read_body(input, exchange);
    exchange->number++;
    pthread_mutex_lock(&server->lock);
    exchange->total = ++server->requests;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    server->answers(exchange);
  }
  pthread_mutex_lock(&server->lock);
  close(connection->fd);
  connection->fd = -1;
  connection->finished = true;
  pthread_mutex_unlock(&server->lock);
  free(exchange->body);
  free(exchange);
  free(input);
  return NULL;
}

static void *accept_all(void *user)
{
  struct server *server = user;
  for(;;) {
    int fd = accept(server->listener, NULL, NULL);
    if(fd < 0)
      return NULL;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    pthread_mutex_lock(&server->lock);
    if(server->stopping) { /* a client that comes too late */
      pthread_mutex_unlock(&server->lock);
      close(fd);
      continue;
    }
    struct connection *connection = calloc(1, sizeof(*connection));
    connection->server = server;
    connection->fd = fd;
    connection->number = ++server->connection_count;
    /* Finished ones make room, so that a long soak does not run out. */
    unsigned slot = 0;
    while(slot < server->slots && !server->connections[slot]->finished)
      slot++;
    if(slot < server->slots) {
      pthread_join(server->connections[slot]->thread, NULL);
      free(server->connections[slot]);
    } else {
      server->slots++;
    }
    bool room = slot < CONNECTIONS_MAX;
    if(room) {
      server->connections[slot] = connection;
      pthread_create(&connection->thread, NULL, serve, connection);
    }
    pthread_mutex_unlock(&server->lock);
    if(!room)
      abort();
  }
}

static struct server *start(int family, const char *path, server_answers answers, void *user)
{
  struct server *server = calloc(1, sizeof(*server));
  server->answers = answers;
  server->user = user;
  server->family = family;
  pthread_mutex_init(&server->lock, NULL);
  pthread_cond_init(&server->changed, NULL);
  server->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
  } address = {0};
  address.any.sa_family = (sa_family_t)family;
  socklen_t size = sizeof(address.in);
  if(family == AF_INET)
    address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else if(family == AF_INET6) {
    address.in6.sin6_addr = in6addr_loopback;
    size = sizeof(address.in6);
  } else {
    snprintf(address.un.sun_path, sizeof(address.un.sun_path), "%s", path);
    size = sizeof(address.un);
  }
  if(server->listener < 0 || bind(server->listener, &address.any, size) != 0 ||
     listen(server->listener, 1024) != 0) {
    if(server->listener >= 0)
      close(server->listener);
    free(server);
    return NULL;
  }
  socklen_t length = sizeof(address);
  getsockname(server->listener, &address.any, &length);
  if(family != AF_UNIX)
    server->port = ntohs(address.in.sin_port);
  snprintf(server->host, sizeof(server->host), family == AF_INET6 ? "[::1]" : "127.0.0.1");
  pthread_create(&server->acceptor, NULL, accept_all, server);
  return server;
}

struct server *server_start(server_answers answers, void *user)
{
  return start(AF_INET, NULL, answers, user);
}

struct server *server_start_unix(const char *path, server_answers answers, void *user)
{
  return start(AF_UNIX, path, answers, user);
}

struct server *server_start_ipv6(server_answers answers, void *user)
{
  return start(AF_INET6, NULL, answers, user);
}

void server_stop(struct server *server)
{
  pthread_mutex_lock(&server->lock);
  server->stopping = true;
  shutdown(server->listener, SHUT_RDWR);
  for(unsigned i = 0; i < server->slots; i++) {
    if(server->connections[i]->fd >= 0)
      shutdown(server->connections[i]->fd, SHUT_RDWR);
  }
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
  pthread_join(server->acceptor, NULL);
  close(server->listener);
  for(unsigned i = 0; i < server->slots; i++) {
    pthread_join(server->connections[i]->thread, NULL);
    free(server->connections[i]);
  }
  pthread_mutex_destroy(&server->lock);
  pthread_cond_destroy(&server->changed);
  free(server);
}

const char *server_url(const struct server *server, const char *path)
{
  static _Thread_local char texts[8][1200];
  static _Thread_local unsigned at;
  char *text = texts[at++ % 8];
  if(server->family == AF_UNIX)
    snprintf(text, sizeof(texts[0]), "http://localhost%s", path);
  else
    snprintf(text, sizeof(texts[0]), "http://%s:%d%s", server->host, server->port, path);
  return text;
}

int server_port(const struct server *server)
{
  return server->port;
}

unsigned server_requests(struct server *server)
{
  pthread_mutex_lock(&server->lock);
  unsigned count = server->requests;
  pthread_mutex_unlock(&server->lock);
  return count;
}

unsigned server_connections(struct server *server)
{
  pthread_mutex_lock(&server->lock);
  unsigned count = server->connection_count;
  pthread_mutex_unlock(&server->lock);
  return count;
}

bool server_waits_for(struct server *server, unsigned requests)
{
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 10;
  pthread_mutex_lock(&server->lock);
  while(server->requests < requests &&
        pthread_cond_timedwait(&server->changed, &server->lock, &until) == 0)
    ;
  bool enough = server->requests >= requests;
  pthread_mutex_unlock(&server->lock);
  return enough;
}
