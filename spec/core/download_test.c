/* Answers into files: whole, cut off and continued, refused, unwritable. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/batchapi.h"
#include "support/run.h"
#include "support/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 300000 };

static struct ba_mailbox *mailbox;
static struct ba_client *client;
static char directory[] = "/tmp/ba-download-XXXXXX";
static char path[64], part[80];
static char content[2][SIZE]; /* two versions of what is served */

/* What the server does; set by each test. */
static struct {
  const char *etag[8]; /* of each answer; NULL: none */
  size_t cut[8];       /* bytes after which it hangs up; 0: not */
  int version[8];      /* which content */
  bool ranges;         /* honours Range */
  bool wrong_range;    /* honours it wrongly */
  int status;          /* instead of a body */
  bool unsatisfiable;  /* 416 to any Range */
  bool bare;           /* neither length nor chunks: the body ends with the connection */
  char seen_range[8][64], seen_if_range[8][64];
} plan;

static void note_headers(struct exchange *exchange, unsigned i)
{
  snprintf(plan.seen_range[i], 64, "%.63s", request_header(exchange, "range"));
  snprintf(plan.seen_if_range[i], 64, "%.63s", request_header(exchange, "if-range"));
}

static void send_range(struct exchange *exchange, unsigned i, size_t from)
{
  char head[512], etag[64] = "";
  if(plan.etag[i])
    snprintf(etag, sizeof(etag), "ETag: %s\r\n", plan.etag[i]);
  size_t told = plan.wrong_range && from ? from - 1 : from;
  if(from)
    snprintf(head, sizeof(head),
             "HTTP/1.1 206 Partial\r\nContent-Range: bytes %zu-%d/%d\r\nContent-Length: %zu\r\n%s"
             "\r\n",
             told, SIZE - 1, SIZE, SIZE - told, etag);
  else if(plan.bare)
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nConnection: close\r\n%s\r\n", etag);
  else
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n", SIZE, etag);
  send_text(exchange, head);
  size_t end = plan.cut[i] ? plan.cut[i] : SIZE;
  send_bytes(exchange, content[plan.version[i]] + told, end - told);
  exchange->close = plan.cut[i] || plan.bare;
}

static void serves(struct exchange *exchange)
{
  unsigned i = exchange->total - 1 < 8 ? exchange->total - 1 : 7;
  note_headers(exchange, i);
  size_t from = 0;
  bool asked = sscanf(plan.seen_range[i], "bytes=%zu-", &from) == 1;
  bool same = plan.etag[i] && strcmp(plan.seen_if_range[i], plan.etag[i]) == 0;
  if(plan.status)
    reply(exchange, plan.status, "", "{\"error\":\"no such file\"}");
  else if(asked && plan.unsatisfiable)
    reply(exchange, 416, "", "");
  else
    send_range(exchange, i, asked && plan.ranges && same ? from : 0);
}

static int begin(void **state)
{
  memset(&plan, 0, sizeof(plan));
  plan.ranges = true;
  for(int i = 0; i < 8; i++)
    plan.etag[i] = "\"v1\"";
  unlink(path);
  unlink(part);
  *state = server_start(serves, NULL);
  return 0;
}

static int end(void **state)
{
  server_stop(*state);
  return access(part, F_OK) == 0 ? -1 : 0; /* nothing is left of a download */
}

static struct ba_call *download(struct server *server, const char *to, int retries,
                                struct ba_outcome *out)
{
  struct ba_request *request =
      make_request("GET", server_url(server, "/file"), retries, BA_REPEAT_SAFE);
  assert_true(ba_request_to_file(request, to, NULL));
  return run_request(client, mailbox, request, out);
}

static bool file_is(int version)
{
  static char read[SIZE + 1];
  FILE *file = fopen(path, "rb");
  if(!file)
    return false;
  size_t length = fread(read, 1, sizeof(read), file);
  fclose(file);
  return length == SIZE && memcmp(read, content[version], SIZE) == 0;
}

static void a_whole_file_arrives(void **state)
{
  struct ba_outcome out;
  struct ba_call *call = download(*state, path, 0, &out);
  assert_true(out.ok);
  assert_int_equal(out.file_bytes, SIZE);
  assert_int_equal(out.body_length, 0);
  assert_true(file_is(0));
  ba_call_release(call);
}

static void a_cut_off_download_goes_on_where_it_was(void **state)
{
  struct ba_outcome out;
  plan.cut[0] = 100000;
  plan.cut[1] = 200000;
  struct ba_call *call = download(*state, path, 2, &out);
  assert_true(out.ok);
  assert_int_equal(out.attempts, 3);
  assert_int_equal(out.file_bytes, SIZE);
  assert_true(file_is(0));
  assert_string_equal(plan.seen_range[0], "");
  assert_string_equal(plan.seen_range[1], "bytes=100000-");
  assert_string_equal(plan.seen_if_range[1], "\"v1\"");
  assert_string_equal(plan.seen_range[2], "bytes=200000-");
  ba_call_release(call);
}

static void a_server_without_ranges_is_asked_from_the_start(void **state)
{
  struct ba_outcome out;
  plan.ranges = false;
  plan.cut[0] = 100000;
  struct ba_call *call = download(*state, path, 2, &out);
  assert_true(out.ok);
  assert_true(file_is(0));
  ba_call_release(call);
}

static void a_file_that_changed_is_not_glued(void **state)
{
  struct ba_outcome out;
  plan.cut[0] = 100000;
  for(int i = 1; i < 8; i++) {
    plan.etag[i] = "\"v2\"";
    plan.version[i] = 1;
  }
  struct ba_call *call = download(*state, path, 2, &out);
  assert_true(out.ok);
  assert_true(file_is(1));
  ba_call_release(call);
}

static void without_a_strong_validator_it_starts_again(void **state)
{
  struct ba_outcome out;
  plan.cut[0] = 100000;
  for(int i = 0; i < 8; i++)
    plan.etag[i] = i % 2 ? NULL : "W/\"v1\"";
  struct ba_call *call = download(*state, path, 2, &out);
  assert_true(out.ok);
  assert_true(file_is(0));
  assert_string_equal(plan.seen_range[1], "");
  ba_call_release(call);
}

static void another_range_than_asked_is_not_taken(void **state)
{
  struct ba_outcome out;
  plan.cut[0] = 100000;
  plan.wrong_range = true;
  struct ba_call *call = download(*state, path, 2, &out);
  assert_true(out.ok);
  assert_int_equal(out.attempts, 3);
  assert_string_equal(plan.seen_range[2], "");
  assert_true(file_is(0));
  ba_call_release(call);
}

static void a_range_that_cannot_be_had_starts_again(void **state)
{
  struct ba_outcome out;
  plan.cut[0] = 100000;
  plan.unsatisfiable = true;
  struct ba_call *call = download(*state, path, 2, &out);
  assert_true(out.ok);
  assert_true(file_is(0));
  ba_call_release(call);
}

static void a_short_file_is_never_handed_out(void **state)
{
  struct ba_outcome out;
  FILE *file = fopen(path, "w");
  fputs("what was there", file);
  fclose(file);
  for(int i = 0; i < 8; i++)
    plan.cut[i] = 100000 + (size_t)i;
  struct ba_call *call = download(*state, path, 2, &out);
  assert_false(out.ok);
  assert_int_equal(out.error->kind, BA_TRUNCATED);
  assert_int_equal(out.attempts, 3);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_size, 14);
  ba_call_release(call);
}

static void a_body_without_an_end_is_not_trusted(void **state)
{
  struct ba_outcome out;
  plan.bare = true;
  struct ba_call *call = download(*state, path, 0, &out);
  assert_int_equal(out.error->kind, BA_TRUNCATED);
  ba_call_release(call);
}

static void an_error_answer_makes_no_file(void **state)
{
  struct ba_outcome out;
  plan.status = 404;
  struct ba_call *call = download(*state, path, 0, &out);
  assert_int_equal(out.error->kind, BA_HTTP);
  assert_string_equal(out.body, "{\"error\":\"no such file\"}");
  assert_int_equal(access(path, F_OK), -1);
  ba_call_release(call);
}

static void unwritable_targets_fail_before_anything_is_sent(void **state)
{
  static const struct {
    const char *path, *code;
  } targets[] = {{"/tmp/no-such-directory-here/x", "ENOENT"},
                 {directory, "EISDIR"},
                 {"/proc/version/x", "ENOTDIR"}};
  for(size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
    struct ba_outcome out;
    struct ba_call *call = download(*state, targets[i].path, 2, &out);
    assert_int_equal(out.error->kind, BA_IO);
    assert_string_equal(out.error->code, targets[i].code);
    assert_int_equal(out.attempts, 0);
    assert_false(out.maybe_sent);
    ba_call_release(call);
  }
  assert_int_equal(server_requests(*state), 0);
}

static void a_full_disk_is_said(void **state)
{
  struct ba_outcome out;
  struct stat info;
  struct ba_call *call = download(*state, "/dev/full", 2, &out);
  assert_int_equal(out.error->kind, BA_IO);
  assert_string_equal(out.error->code, "ENOSPC");
  assert_false(out.retryable);
  assert_int_equal(out.attempts, 1);
  assert_int_equal(stat("/dev/full", &info), 0);
  assert_true(S_ISCHR(info.st_mode)); /* and the device is still one */
  ba_call_release(call);
}

static void a_limit_on_file_size_is_said(void **state)
{
  struct ba_outcome out;
  struct rlimit before, small;
  getrlimit(RLIMIT_FSIZE, &before);
  small = before;
  small.rlim_cur = 65536;
  setrlimit(RLIMIT_FSIZE, &small);
  struct ba_call *call = download(*state, path, 2, &out);
  setrlimit(RLIMIT_FSIZE, &before);
  assert_int_equal(out.error->kind, BA_IO);
  assert_string_equal(out.error->code, "EFBIG");
  ba_call_release(call);
}

static void a_cancelled_download_leaves_nothing(void **state)
{
  struct ba_outcome out;
  plan.cut[0] = 100000;
  struct ba_request *request = make_request("GET", server_url(*state, "/file"), 2, BA_REPEAT_SAFE);
  assert_true(ba_request_to_file(request, path, NULL));
  struct ba_call *call = ba_call_start(client, mailbox, request, NULL);
  assert_true(server_waits_for(*state, 1));
  ba_call_cancel(call);
  assert_true(finish(mailbox, call, &out));
  assert_int_equal(out.error->kind, BA_CANCELLED);
  assert_int_equal(access(path, F_OK), -1);
  ba_call_release(call);
}

static int set_up(void **state)
{
  (void)state;
  for(size_t i = 0; i < SIZE; i++) {
    content[0][i] = (char)(i * 31 + i / 251);
    content[1][i] = (char)(i * 17 + i / 241);
  }
  if(!mkdtemp(directory) || !ba_engine_load(NULL))
    return -1;
  snprintf(path, sizeof(path), "%s/file", directory);
  snprintf(part, sizeof(part), "%s.part", path);
  mailbox = ba_mailbox_new(NULL);
  client = plain_client();
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  unlink(path);
  return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(a_whole_file_arrives),
      TEST(a_cut_off_download_goes_on_where_it_was),
      TEST(a_server_without_ranges_is_asked_from_the_start),
      TEST(a_file_that_changed_is_not_glued),
      TEST(without_a_strong_validator_it_starts_again),
      TEST(another_range_than_asked_is_not_taken),
      TEST(a_range_that_cannot_be_had_starts_again),
      TEST(a_short_file_is_never_handed_out),
      TEST(a_body_without_an_end_is_not_trusted),
      TEST(an_error_answer_makes_no_file),
      TEST(unwritable_targets_fail_before_anything_is_sent),
      TEST(a_full_disk_is_said),
      TEST(a_limit_on_file_size_is_said),
      TEST(a_cancelled_download_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
