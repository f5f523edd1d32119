/* A server that keeps libcurl reading what says nothing loses its connection,
 * and nobody else loses anything. */
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

#include <string.h>
#include <sys/socket.h>

enum { FRAME_BYTES = 9, BLOCK_FRAMES = 4096, FLOOD_ROOM = 256 << 20 };

static struct ba_mailbox *mailbox;
static struct ba_client *client;

static int set_up(void **state)
{
  (void)state;
  if(!ba_engine_load(NULL))
    return -1;
  mailbox = ba_mailbox_new(NULL);
  client = plain_client();
  return mailbox ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  return 0;
}

/* Its first line is the preface of HTTP/2. Settings, the status 200, and then
 * frames of data without a byte, until nobody takes them. */
static void floods(struct exchange *exchange)
{
  static const unsigned char begin[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88};
  static const unsigned char data[FRAME_BYTES] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
  static unsigned char block[FRAME_BYTES * BLOCK_FRAMES];
  for(int i = 0; i < BLOCK_FRAMES; i++)
    memcpy(block + FRAME_BYTES * i, data, FRAME_BYTES);
  exchange->close = true;
  /* where others want the processors it is not this thread that keeps the reader busy,
   * but what lies in the kernel: a second's worth of frames (as root; else what there is) */
  int room = FLOOD_ROOM;
  setsockopt(exchange->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
  bool taken = send_bytes(exchange, begin, sizeof(begin));
  while(taken)
    taken = send_bytes(exchange, block, sizeof(block));
}

static void answers(struct exchange *exchange)
{
  reply(exchange, 200, "", "here");
}

static struct ba_call *start(struct ba_client *by, const char *url)
{
  struct ba_call *call =
      ba_call_start(by, mailbox, make_request("GET", url, 2, BA_REPEAT_SAFE), NULL);
  assert_non_null(call);
  return call;
}

/* Where others want the processor, too, the flood may pause, and the call ends by
 * its own deadline: then it is begun again. */
static bool flood_is_cut(struct ba_client *caller, struct server *hostile, struct server *innocent)
{
  struct ba_outcome out;
  unsigned before = server_requests(hostile);
  struct ba_call *flooded = start(caller, server_url(hostile, "/"));
  assert_true(server_waits_for(hostile, before + 1));
  struct ba_call *beside = start(client, server_url(innocent, "/"));
  assert_true(finish(mailbox, beside, &out));
  assert_true(out.ok);
  assert_true(finish(mailbox, flooded, &out));
  assert_false(out.ok);
  assert_int_equal(out.error->kind, BA_TIMEOUT);
  assert_int_equal(out.attempts, 1);
  bool cut = strcmp(out.error->code, "stalled") == 0;
  assert_true(!cut || !out.retryable);
  ba_call_release(flooded);
  ba_call_release(beside);
  return cut;
}

static void a_flood_ends_and_others_go_on(void **state)
{
  (void)state;
  enum { ATTEMPTS = 6 };
  struct server *hostile = server_start(floods, NULL), *innocent = server_start(answers, NULL);
  struct ba_client_settings settings = {.http_version = "2", .proxy = ""};
  struct ba_client *caller = ba_client_new(&settings, NULL);
  struct ba_outcome out;

  bool cut = false;
  for(int i = 0; i < ATTEMPTS && !cut; i++)
    cut = flood_is_cut(caller, hostile, innocent);
  assert_true(cut);

  /* and the engine serves on */
  struct ba_call *beside = start(client, server_url(innocent, "/"));
  assert_true(finish(mailbox, beside, &out));
  assert_true(out.ok);
  ba_call_release(beside);
  ba_client_release(caller);
  server_stop(hostile);
  server_stop(innocent);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_flood_ends_and_others_go_on),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
