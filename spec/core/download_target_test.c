/* Where a download goes: pipes, a target that two want, a name that cannot be given. */
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

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { SIZE = 400000 }; /* a pipe holds 65536 */

static struct ba_mailbox *mailbox;
static struct ba_client *client;
static struct server *server;
static char directory[] = "/tmp/ba-target-XXXXXX";
static char path[64], part[80];
static char content[SIZE];
static char packed[SIZE + 1000];
static size_t packed_length;

static sem_t may_end; /* the answer to /held */

static void serves(struct exchange *exchange)
{
  char head[128];
  if(strcmp(exchange->path, "/packed") == 0) {
    reply_bytes(exchange, 200, "Content-Encoding: gzip\r\n", packed, packed_length);
  } else if(strcmp(exchange->path, "/held") == 0) {
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    send_text(exchange, head);
    send_bytes(exchange, content, SIZE / 2);
    sem_wait(&may_end);
    send_bytes(exchange, content + SIZE / 2, SIZE / 2);
  } else {
    reply_bytes(exchange, 200, "ETag: \"v1\"\r\n", content, SIZE);
  }
}

/* ---- the reader at the other end of a pipe --------------------------------- */

struct reader {
  pthread_t thread;
  int fd;
  size_t most; /* reads so much, then closes */
  char bytes[SIZE + 1];
  size_t length;
};

static struct reader reader;

static void *reads(void *unused)
{
  ssize_t got = 1;
  while(got > 0 && reader.length < reader.most) {
    size_t room = reader.most - reader.length;
    got = read(reader.fd, reader.bytes + reader.length, room < 5000 ? room : 5000);
    reader.length += got > 0 ? (size_t)got : 0;
  }
  close(reader.fd);
  return unused;
}

/* The read end of a new pipe at `path`. */
static void open_pipe(void)
{
  assert_int_equal(mkfifo(path, 0600), 0);
  reader.length = 0;
  reader.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  assert_true(reader.fd >= 0);
}

static void begin_reading(size_t most)
{
  reader.most = most;
  assert_int_equal(fcntl(reader.fd, F_SETFL, 0), 0);
  assert_int_equal(pthread_create(&reader.thread, NULL, reads, NULL), 0);
}

static bool is_pipe(void)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISFIFO(info.st_mode);
}

/* ---- downloads -------------------------------------------------------------- */

static struct ba_call *start(const char *from, double stall_timeout)
{
  struct ba_request_options options;
  struct ba_request *request = make_request("GET", server_url(server, from), 2, BA_REPEAT_SAFE);
  ba_request_options_init(&options);
  options.timeout = -1;
  options.stall_timeout = stall_timeout;
  options.max_retries = 2;
  options.repeat = BA_REPEAT_SAFE;
  assert_true(ba_request_set_options(request, &options, NULL));
  assert_true(ba_request_to_file(request, path, NULL));
  struct ba_call *call = ba_call_start(client, mailbox, request, NULL);
  assert_non_null(call);
  return call;
}

/* Until the pipe has no room left. */
static void wait_for_full_pipe(void)
{
  double until = ba_now() + 10;
  int held = 0, room = fcntl(reader.fd, F_GETPIPE_SZ);
  do {
    ba_mailbox_wait(mailbox, 0.001);
    assert_int_equal(ioctl(reader.fd, FIONREAD, &held), 0);
  } while(held < room && ba_now() < until);
  assert_int_equal(held, room);
}

static void assert_ends(struct ba_call *call, enum ba_kind kind, const char *code)
{
  struct ba_outcome out;
  assert_true(finish(mailbox, call, &out));
  assert_false(out.ok);
  if(out.error->kind != kind || (code && strcmp(out.error->code, code) != 0))
    fail_msg("kind %d, code %s: %s", (int)out.error->kind, out.error->code, out.error->message);
  ba_call_release(call);
}

static void assert_whole(struct ba_call *call)
{
  struct ba_outcome out;
  assert_true(finish(mailbox, call, &out));
  if(!out.ok)
    fail_msg("%s", out.error->message);
  assert_int_equal(out.file_bytes, SIZE);
  ba_call_release(call);
}

/* ---- pipes --------------------------------------------------------------------- */

static void goes_through_a_pipe(const char *from)
{
  open_pipe();
  struct ba_call *call = start(from, 10);
  wait_for_full_pipe();
  begin_reading(SIZE + 1);
  assert_whole(call);
  pthread_join(reader.thread, NULL);
  assert_int_equal(reader.length, SIZE);
  assert_memory_equal(reader.bytes, content, SIZE);
  assert_true(is_pipe());
}

static void a_pipe_takes_all_of_it(void **state)
{
  (void)state;
  goes_through_a_pipe("/file");
}

static void a_pipe_takes_what_was_packed(void **state)
{
  (void)state;
  goes_through_a_pipe("/packed");
}

static void a_pipe_that_nobody_reads_holds_nobody_up(void **state)
{
  (void)state;
  struct ba_outcome out;
  open_pipe();
  struct ba_call *call = start("/file", 0.4);
  wait_for_full_pipe();
  struct ba_call *other =
      run_request(client, mailbox, make_request("GET", server_url(server, "/file"), 0, 0), &out);
  assert_true(out.ok);
  ba_call_release(other);
  assert_ends(call, BA_IO, "ETIMEDOUT");
  assert_int_equal(server_requests(server), 2); /* nothing was repeated */
  close(reader.fd);
}

static void a_download_into_a_full_pipe_is_cancelled(void **state)
{
  (void)state;
  open_pipe();
  struct ba_call *call = start("/file", 10);
  wait_for_full_pipe();
  ba_call_cancel(call);
  assert_ends(call, BA_CANCELLED, NULL);
  close(reader.fd);
}

static void a_reader_that_goes_away_is_said(void **state)
{
  (void)state;
  open_pipe();
  struct ba_call *call = start("/file", 10);
  wait_for_full_pipe();
  begin_reading(1000);
  assert_ends(call, BA_IO, "EPIPE");
  pthread_join(reader.thread, NULL);
}

static void a_pipe_without_a_reader_is_said_before_anything_is_sent(void **state)
{
  (void)state;
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_ends(start("/file", 10), BA_IO, "ENXIO");
  assert_int_equal(server_requests(server), 0);
}

static void a_pipe_is_not_sent(void **state)
{
  (void)state;
  assert_int_equal(mkfifo(path, 0600), 0);
  struct ba_outcome out;
  struct ba_request *request = make_request("POST", server_url(server, "/file"), 0, 0);
  assert_true(ba_request_body_file(request, path, NULL));
  struct ba_call *call = run_request(client, mailbox, request, &out);
  assert_int_equal(out.error->kind, BA_IO);
  assert_string_equal(out.error->code, "ESPIPE");
  ba_call_release(call);
}

/* ---- NAME.part ------------------------------------------------------------------ */

static void two_downloads_to_one_target_are_told_apart(void **state)
{
  (void)state;
  struct stat info;
  struct ba_call *first = start("/held", 10);
  assert_true(server_waits_for(server, 1));
  assert_ends(start("/file", 10), BA_IO, "EBUSY");
  assert_int_equal(access(part, F_OK), 0); /* the first one's, still */
  sem_post(&may_end);
  assert_whole(first);
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_size, SIZE);
  assert_whole(start("/file", 10)); /* and the next has it to itself */
}

static void a_name_that_cannot_be_given_leaves_nothing(void **state)
{
  (void)state;
  struct ba_call *call = start("/held", 10);
  assert_true(server_waits_for(server, 1));
  assert_int_equal(mkdir(path, 0700), 0); /* somebody takes the name meanwhile */
  sem_post(&may_end);
  assert_ends(call, BA_IO, "EISDIR");
  assert_int_equal(rmdir(path), 0);
}

static int begin(void **state)
{
  (void)state;
  server = server_start(serves, NULL);
  return 0;
}

static int end(void **state)
{
  (void)state;
  server_stop(server);
  bool left = access(part, F_OK) == 0;
  unlink(path);
  unlink(part);
  return left ? -1 : 0;
}

static void pack(void)
{
  z_stream zlib = {0};
  deflateInit2(&zlib, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  zlib.next_in = (z_const Bytef *)content;
  zlib.avail_in = SIZE;
  zlib.next_out = (Bytef *)packed;
  zlib.avail_out = sizeof(packed);
  assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
  packed_length = sizeof(packed) - zlib.avail_out;
  deflateEnd(&zlib);
}

static int set_up(void **state)
{
  (void)state;
  for(size_t i = 0; i < SIZE; i++)
    content[i] = (char)(i * 31 + i / 251);
  pack();
  if(!mkdtemp(directory) || !ba_engine_load(NULL))
    return -1;
  snprintf(path, sizeof(path), "%s/file", directory);
  snprintf(part, sizeof(part), "%s.part", path);
  sem_init(&may_end, 0, 0);
  mailbox = ba_mailbox_new(NULL);
  client = plain_client();
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(a_pipe_takes_all_of_it),
      TEST(a_pipe_takes_what_was_packed),
      TEST(a_pipe_that_nobody_reads_holds_nobody_up),
      TEST(a_download_into_a_full_pipe_is_cancelled),
      TEST(a_reader_that_goes_away_is_said),
      TEST(a_pipe_without_a_reader_is_said_before_anything_is_sent),
      TEST(a_pipe_is_not_sent),
      TEST(two_downloads_to_one_target_are_told_apart),
      TEST(a_name_that_cannot_be_given_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
