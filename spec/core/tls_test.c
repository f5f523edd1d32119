/* TLS and HTTP/2: who is trusted, who one is, and which connection is taken
 * for which call. The server is nginx. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/batchapi.h"
#include "batchapi/clock.h"
#include "support/run.h"
#include "support/server.h"
#include "support/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tls_server *server;
static struct ba_mailbox *mailbox;

/* What the server says of a call; see tls_server.h. */
struct words {
  char protocol[16], session[16], certificate[64];
  unsigned connection;
};

static struct words words_of(const char *text)
{
  struct words words;
  if(sscanf(text, "%15s %u %15s %63s", words.protocol, &words.connection, words.session,
            words.certificate) != 4)
    fail_msg("the server says: %s", text);
  return words;
}

static struct ba_client *client_of(struct ba_client_settings settings)
{
  struct ba_error err = {0};
  if(!settings.proxy)
    settings.proxy = "";
  struct ba_client *client = ba_client_new(&settings, &err);
  if(!client)
    fail_msg("%s", err.message);
  return client;
}

/* Without any connection or TLS session: they live as long as a mailbox does. */
static void new_engine(void)
{
  ba_mailbox_delete(mailbox);
  mailbox = ba_mailbox_new(NULL);
  assert_non_null(mailbox);
}

/* A client that trusts the server's authority. */
static struct ba_client *trusting(const char *http_version)
{
  return client_of((struct ba_client_settings){.ca_file = tls_file(server, "ca.pem"),
                                               .http_version = http_version});
}

/* The server may still be starting: who connects waits. */
static struct ba_request *get(const char *url)
{
  struct ba_request_options options;
  struct ba_request *request = ba_request_new("GET", url, NULL);
  ba_request_options_init(&options);
  options.timeout = options.connect_timeout = 20;
  assert_true(request && ba_request_set_options(request, &options, NULL));
  return request;
}

static struct words ask(struct ba_client *client, const char *url)
{
  struct ba_outcome out;
  struct ba_call *call = run_request(client, mailbox, get(url), &out);
  if(!out.ok)
    fail_msg("%s: %s", url, out.error->message);
  struct words words = words_of(out.body);
  ba_call_release(call);
  return words;
}

static void assert_refused(struct ba_client *client, const char *url, enum ba_kind kind,
                           const char *says)
{
  struct ba_outcome out;
  struct ba_call *call = run_request(client, mailbox, get(url), &out);
  assert_false(out.ok);
  assert_int_equal(out.error->kind, kind);
  if(!strstr(out.error->message, says))
    fail_msg("\"%s\" does not say \"%s\"", out.error->message, says);
  assert_int_equal(out.attempts, 1); /* no repeat mends it */
  ba_call_release(call);
}

/* ---- whom we trust ---------------------------------------------------------------- */

static void an_authority_of_ones_own_is_trusted(void **state)
{
  (void)state;
  struct ba_client *client = trusting(NULL);
  assert_string_equal(ask(client, tls_url(server, TLS_H2, "/")).protocol, "HTTP/2.0");
  assert_string_equal(ask(client, tls_url(server, TLS_H1, "/")).protocol, "HTTP/1.1");
  ba_client_release(client);
}

static void an_unknown_authority_is_refused(void **state)
{
  (void)state;
  struct ba_client *systems = client_of((struct ba_client_settings){0});
  struct ba_client *others =
      client_of((struct ba_client_settings){.ca_file = tls_file(server, "other-ca.pem")});
  /* also where a connection is kept that another client has verified */
  struct ba_client *verified = trusting(NULL);
  for(int listener = TLS_H2; listener <= TLS_H1; listener++) {
    const char *url = tls_url(server, (enum tls_listener)listener, "/");
    ask(verified, url);
    assert_refused(systems, url, BA_TLS, "certificate");
    assert_refused(others, url, BA_TLS, "certificate");
  }
  ba_client_release(verified);
  ba_client_release(others);
  ba_client_release(systems);
}

static void a_certificate_for_another_host_is_refused(void **state)
{
  (void)state;
  struct ba_client *client = trusting(NULL);
  assert_refused(client, tls_url(server, TLS_OTHER_NAME, "/"), BA_TLS, "127.0.0.1");
  ba_client_release(client);
}

/* ---- who we are --------------------------------------------------------------------- */

static struct ba_client *known_as(const char *name)
{
  char cert[40], key[40];
  snprintf(cert, sizeof(cert), "%s.pem", name);
  snprintf(key, sizeof(key), "%s.key", name);
  return client_of((struct ba_client_settings){.ca_file = tls_file(server, "ca.pem"),
                                               .client_cert = tls_file(server, cert),
                                               .client_key = tls_file(server, key)});
}

static void a_client_certificate_is_shown(void **state)
{
  (void)state;
  const char *url = tls_url(server, TLS_CLIENT_CERT, "/");
  struct ba_client *known = known_as("client");
  assert_string_equal(ask(known, url).certificate, "cert:SUCCESS");
  /* and who has none, or a wrong one, gets nothing from the one's connection */
  struct ba_client *nobody = trusting(NULL), *stranger = known_as("stranger");
  assert_refused(nobody, url, BA_HTTP, "400");
  assert_refused(stranger, url, BA_HTTP, "400");
  assert_string_equal(ask(known, url).certificate, "cert:SUCCESS");
  ba_client_release(stranger);
  ba_client_release(nobody);
  ba_client_release(known);
}

/* A new engine: libcurl knows connections by certificate, not by key. */
static void a_key_that_does_not_fit_is_refused(void **state)
{
  (void)state;
  new_engine();
  struct ba_client *client =
      client_of((struct ba_client_settings){.ca_file = tls_file(server, "ca.pem"),
                                            .client_cert = tls_file(server, "client.pem"),
                                            .client_key = tls_file(server, "stranger.key")});
  assert_refused(client, tls_url(server, TLS_CLIENT_CERT, "/"), BA_TLS, "");
  ba_client_release(client);
}

/* ---- which connection --------------------------------------------------------------- */

static void a_tls_connection_is_kept(void **state)
{
  (void)state;
  struct ba_client *client = trusting(NULL);
  struct ba_client_stats stats;
  for(int listener = TLS_H2; listener <= TLS_H1; listener++) {
    const char *url = tls_url(server, (enum tls_listener)listener, "/");
    unsigned first = ask(client, url).connection;
    assert_int_equal(ask(client, url).connection, first);
    assert_int_equal(ask(client, url).connection, first);
  }
  ba_client_stats(client, &stats);
  assert_int_equal(stats.connections_opened + stats.connections_reused, 6);
  assert_true(stats.connections_reused >= 4);
  ba_client_release(client);
}

static void a_session_outlives_its_connection(void **state)
{
  (void)state;
  const char *versions[] = {NULL, "1.1"};
  for(int i = 0; i < 2; i++) {
    struct ba_client *client = trusting(versions[i]);
    struct words first = ask(client, tls_url(server, TLS_H1, "/close"));
    struct words second = ask(client, tls_url(server, TLS_H1, "/close"));
    assert_int_not_equal(second.connection, first.connection);
    assert_string_equal(second.session, "tls:r");
    ba_client_release(client);
  }
}

/* Waits until the call has something to read. */
static void await_bytes(struct ba_call *call)
{
  double until = ba_now() + 20;
  while(!(ba_call_news(call) & (BA_CALL_READABLE | BA_CALL_DONE)) && ba_now() < until) {
    uint64_t ids[8];
    ba_mailbox_wait(mailbox, 0.5);
    ba_mailbox_drain(mailbox, ids, 8);
  }
  if(ba_call_news(call) & BA_CALL_DONE) {
    struct ba_outcome out;
    ba_call_outcome(call, &out);
    fail_msg("it has ended: %s", out.error->message);
  }
  assert_true(ba_call_news(call) & BA_CALL_READABLE);
}

static struct ba_call *start_slow(struct ba_client *client)
{
  struct ba_request *request = get(tls_url(server, TLS_H2, "/slow"));
  assert_true(ba_request_to_stream(request, NULL));
  struct ba_call *call = ba_call_start(client, mailbox, request, NULL);
  await_bytes(call);
  return call;
}

static unsigned connection_of_cancelled(struct ba_call *call)
{
  struct ba_outcome out;
  unsigned connection = 0;
  ba_call_cancel(call);
  assert_true(finish(mailbox, call, &out));
  assert_int_equal(out.error->kind, BA_CANCELLED);
  for(size_t i = 0; i < out.header_count; i++) {
    if(strcmp(out.headers[i].name, "x-words") == 0)
      connection = words_of(out.headers[i].value).connection;
  }
  ba_call_release(call);
  return connection;
}

static unsigned connection_of_upload(struct ba_client *client)
{
  struct ba_outcome out;
  struct ba_request *request = ba_request_new("POST", tls_url(server, TLS_H2, "/"), NULL);
  assert_true(request && ba_request_body_file(request, tls_file(server, "ca.pem"), NULL));
  struct ba_call *call = run_request(client, mailbox, request, &out);
  if(!out.ok)
    fail_msg("the upload: %s", out.error->message);
  unsigned connection = words_of(out.body).connection;
  ba_call_release(call);
  return connection;
}

/* An answer that takes minutes is under way: others come through the same
 * connection meanwhile, and that one may be cancelled without harm to it. */
static void calls_share_an_http2_connection(void **state)
{
  (void)state;
  const char *versions[] = {NULL, "2"};
  for(int i = 0; i < 2; i++) {
    struct ba_client *client = trusting(versions[i]);
    struct ba_call *slow = start_slow(client), *slower = start_slow(client);
    struct words between = ask(client, tls_url(server, TLS_H2, "/"));
    assert_string_equal(between.protocol, "HTTP/2.0");
    for(int times = 0; times < 3; times++)
      assert_int_equal(connection_of_upload(client), between.connection);
    assert_int_equal(connection_of_cancelled(slow), between.connection);
    assert_int_equal(ask(client, tls_url(server, TLS_H2, "/")).connection, between.connection);
    assert_int_equal(connection_of_cancelled(slower), between.connection);
    assert_int_equal(ask(client, tls_url(server, TLS_H2, "/")).connection, between.connection);
    ba_client_release(client);
  }
}

/* Many at once, from nothing: they wait for the first one's handshake rather
 * than open a connection each. */
static void a_burst_opens_one_http2_connection(void **state)
{
  (void)state;
  enum { CALLS = 50 };
  struct ba_call *calls[CALLS];
  struct ba_client *client = trusting("2");
  const char *url = tls_url(server, TLS_H2, "/");
  unsigned connection = 0;
  for(int i = 0; i < CALLS; i++)
    calls[i] = ba_call_start(client, mailbox, get(url), NULL);
  for(int i = 0; i < CALLS; i++) {
    struct ba_outcome out;
    assert_true(finish(mailbox, calls[i], &out) && out.ok);
    assert_string_equal(out.http_version, "2");
    unsigned at = words_of(out.body).connection;
    assert_true(i == 0 || at == connection);
    connection = at;
    ba_call_release(calls[i]);
  }
  ba_client_release(client);
}

/* The clients live at the same time and the connections are kept: neither gets
 * the other's. A new engine for each order, since connections are the engine's. */
static void a_wish_for_a_version_is_kept_to(void **state)
{
  (void)state;
  static const struct {
    const char *first, *second;
  } orders[] = {{"1.1", "2"}, {"2", "1.1"}, {NULL, "1.1"}, {"1.1", NULL}, {"2", NULL}};
  static const enum tls_listener listeners[] = {TLS_H2, TLS_CLIENT_CERT};
  for(size_t i = 0; i < 2 * sizeof(orders) / sizeof(orders[0]); i++) {
    const char *wishes[] = {orders[i / 2].first, orders[i / 2].second};
    const char *url = tls_url(server, listeners[i % 2], "/");
    new_engine();
    for(int turn = 0; turn < 4; turn++) {
      const char *wish = wishes[turn % 2];
      struct ba_client *client =
          client_of((struct ba_client_settings){.ca_file = tls_file(server, "ca.pem"),
                                                .client_cert = tls_file(server, "client.pem"),
                                                .client_key = tls_file(server, "client.key"),
                                                .http_version = wish});
      bool old = wish && strcmp(wish, "1.1") == 0;
      assert_string_equal(ask(client, url).protocol, old ? "HTTP/1.1" : "HTTP/2.0");
      ba_client_release(client);
    }
  }
}

static void http2_needs_no_tls(void **state)
{
  (void)state;
  struct ba_client *client = client_of((struct ba_client_settings){.http_version = "2"});
  const char *url = tls_url(server, TLS_NONE, "/");
  struct ba_call *calls[8];
  for(int i = 0; i < 3; i++)
    assert_string_equal(ask(client, url).protocol, "HTTP/2.0");
  for(int i = 0; i < 8; i++)
    calls[i] = ba_call_start(client, mailbox, get(url), NULL);
  for(int i = 0; i < 8; i++) {
    struct ba_outcome out;
    assert_true(finish(mailbox, calls[i], &out) && out.ok);
    assert_string_equal(words_of(out.body).protocol, "HTTP/2.0");
    ba_call_release(calls[i]);
  }
  ba_client_release(client);
}

/* ---- through a proxy ------------------------------------------------------------------ */

static int connect_to(int port)
{
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if(fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
    abort();
  return fd;
}

static bool pass_on(int from, int to)
{
  char bytes[16384];
  ssize_t count = recv(from, bytes, sizeof(bytes), 0);
  return count > 0 && send(to, bytes, (size_t)count, MSG_NOSIGNAL) == count;
}

/* A proxy: a tunnel to whatever port was asked for, until an end is closed. */
static void tunnels(struct exchange *exchange)
{
  const char *port = strrchr(exchange->path, ':');
  int upstream = connect_to(port ? atoi(port + 1) : 0);
  exchange->close = true;
  send_text(exchange, "HTTP/1.1 200 Go on\r\n\r\n");
  struct pollfd ends[] = {{.fd = exchange->fd, .events = POLLIN},
                          {.fd = upstream, .events = POLLIN}};
  bool open = strcmp(exchange->method, "CONNECT") == 0;
  while(open && poll(ends, 2, 20000) > 0) {
    open = !(ends[0].revents && !pass_on(exchange->fd, upstream)) &&
           !(ends[1].revents && !pass_on(upstream, exchange->fd));
  }
  close(upstream);
}

static void a_tunnel_hides_no_wrong_certificate(void **state)
{
  (void)state;
  struct server *proxy = server_start(tunnels, NULL);
  struct ba_client_settings settings = {.proxy = server_url(proxy, ""),
                                        .ca_file = tls_file(server, "ca.pem")};
  struct ba_client *client = client_of(settings);
  struct words first = ask(client, tls_url(server, TLS_H2, "/"));
  assert_string_equal(first.protocol, "HTTP/2.0");
  assert_int_equal(ask(client, tls_url(server, TLS_H2, "/")).connection, first.connection);
  assert_int_equal(server_connections(proxy), 1);
  assert_refused(client, tls_url(server, TLS_OTHER_NAME, "/"), BA_TLS, "127.0.0.1");
  settings.ca_file = tls_file(server, "other-ca.pem");
  struct ba_client *distrusting = client_of(settings);
  assert_refused(distrusting, tls_url(server, TLS_H2, "/"), BA_TLS, "certificate");
  ba_client_release(distrusting);
  ba_client_release(client);
  new_engine(); /* the proxy waits for the end of connections */
  server_stop(proxy);
}

static int set_up(void **state)
{
  (void)state;
  server = tls_start();
  mailbox = ba_engine_load(NULL) ? ba_mailbox_new(NULL) : NULL;
  return mailbox ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  ba_mailbox_delete(mailbox);
  tls_stop(server);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_authority_of_ones_own_is_trusted),
      cmocka_unit_test(an_unknown_authority_is_refused),
      cmocka_unit_test(a_certificate_for_another_host_is_refused),
      cmocka_unit_test(a_client_certificate_is_shown),
      cmocka_unit_test(a_key_that_does_not_fit_is_refused),
      cmocka_unit_test(a_tls_connection_is_kept),
      cmocka_unit_test(a_session_outlives_its_connection),
      cmocka_unit_test(calls_share_an_http2_connection),
      cmocka_unit_test(a_burst_opens_one_http2_connection),
      cmocka_unit_test(a_wish_for_a_version_is_kept_to),
      cmocka_unit_test(http2_needs_no_tls),
      cmocka_unit_test(a_tunnel_hides_no_wrong_certificate),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
