/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

/* Link-local addresses, in a network of the test's own: this machine's stays
 * as it is. */
#include "batchapi/batchapi.h"
#include "support/run.h"

#include <arpa/inet.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A network with a loopback device that has fe80::5. False: not allowed, or
 * there is no IPv6. */
static bool own_network(void)
{
  if(unshare(CLONE_NEWNET) != 0)
    return false;
  struct ifreq device = {.ifr_name = "lo"};
  struct in6_ifreq address = {.ifr6_prefixlen = 64};
  int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool done = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &device) == 0;
  device.ifr_flags |= IFF_UP;
  address.ifr6_ifindex = (int)if_nametoindex("lo");
  inet_pton(AF_INET6, "fe80::5", &address.ifr6_addr);
  done = done && ioctl(fd, SIOCSIFFLAGS, &device) == 0 && ioctl(fd, SIOCSIFADDR, &address) == 0;
  if(fd >= 0)
    close(fd);
  return done;
}

static int listen_everywhere(int *port)
{
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
  socklen_t size = sizeof(address);
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_return_code(bind(fd, (struct sockaddr *)&address, size), 0);
  assert_return_code(listen(fd, 8), 0);
  assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  *port = ntohs(address.sin6_port);
  return fd;
}

static void a_zone_is_part_of_an_address(void **state)
{
  (void)state;
  if(!own_network())
    skip();
  int port;
  int listener = listen_everywhere(&port);
  struct ba_error err = {0};
  assert_true(ba_engine_load(&err));
  struct ba_mailbox *mailbox = ba_mailbox_new(&err);
  struct ba_client *client = plain_client();
  for(int i = 0; i < 2; i++) { /* the second time with the same handle */
    char url[80];
    struct ba_outcome out;
    snprintf(url, sizeof(url), "http://[fe80::5%%25lo]:%d/", port);
    struct ba_call *call =
        ba_call_start(client, mailbox, make_request("GET", url, 0, BA_REPEAT_SAFE), &err);
    assert_non_null(call);
    struct pollfd arrives = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&arrives, 1, 5000), 1);
    int connection = accept(listener, NULL, NULL);
    char head[2048];
    assert_true(read(connection, head, sizeof(head)) > 0);
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    assert_int_equal(write(connection, answer, sizeof(answer) - 1), sizeof(answer) - 1);
    assert_true(finish(mailbox, call, &out));
    assert_string_equal(out.body, "ok");
    close(connection);
    ba_call_release(call);
  }
  close(listener);
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_zone_is_part_of_an_address)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
