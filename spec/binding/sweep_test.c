/* Fails every allocation of Lua's in turn, n = 1, 2, 3 … until a script gets
 * through, and looks whether each failure ended as a memory error, left no
 * descriptor open and no memory behind. After lua/lua's testes/memerr.lua. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- a server ------------------------------------------------------------ */

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener = -1;

/* Answers every request that comes in whole, until the other end closes. */
static void *serve(void *argument)
{
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               "X-Twice: a\r\nX-Twice: b\r\nContent-Length: 17\r\n\r\n"
                               "{\"a\":[1,\"two\",3]}";
  int fd = (int)(intptr_t)argument;
  char bytes[4096];
  size_t length = 0;
  ssize_t got;
  while((got = read(fd, bytes + length, sizeof(bytes) - 1 - length)) > 0) {
    length += (size_t)got;
    bytes[length] = '\0';
    char *end = strstr(bytes, "\r\n\r\n");
    size_t body = end && strncmp(bytes, "POST", 4) == 0 ? 4 : 0; /* the scripts send "body" */
    if(!end || (size_t)(bytes + length - end) < 4 + body)
      continue;
    if(send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
      break;
    length = 0;
  }
  close(fd);
  return NULL;
}

static void *accept_all(void *unused)
{
  (void)unused;
  int fd;
  while((fd = accept(listener, NULL, NULL)) >= 0) {
    pthread_t thread;
    if(pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
      pthread_detach(thread);
  }
  return NULL;
}

static int start_server(void **state)
{
  (void)state;
  pthread_t thread;
  snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/batchapi-sweep-%d", (int)getpid());
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if(bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 64) != 0)
    return -1;
  return pthread_create(&thread, NULL, accept_all, NULL) == 0 ? pthread_detach(thread) : -1;
}

static int stop_server(void **state)
{
  (void)state;
  unlink(address.sun_path);
  return shutdown(listener, SHUT_RDWR);
}

/* ---- an allocator that fails --------------------------------------------- */

struct countdown {
  bool armed;
  long left; /* allocations until it fails, and goes on failing */
};

static void *allocate(void *user, void *block, size_t old_size, size_t size)
{
  struct countdown *countdown = user;
  if(size == 0) {
    free(block);
    return NULL;
  }
  bool shrinks = block && size <= old_size; /* Lua counts on that */
  if(countdown->armed && !shrinks && --countdown->left < 0)
    return NULL;
  return realloc(block, size);
}

/* ---- the sweep ----------------------------------------------------------- */

static int open_descriptors(void)
{
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;
  while(readdir(directory))
    count++;
  closedir(directory);
  return count;
}

static lua_State *new_state(struct countdown *countdown)
{
  *countdown = (struct countdown){0};
  lua_State *L = lua_newstate(allocate, countdown);
  assert_non_null(L);
  luaL_openlibs(L);
  lua_pushstring(L, address.sun_path);
  lua_setglobal(L, "SOCKET");
  lua_settop(L, 0);
  return L;
}

/* Runs `script` with the n-th allocation failing. True when it got through. */
static bool run_once(const char *prepare, const char *script, long n)
{
  struct countdown countdown;
  lua_State *L = new_state(&countdown);
  if(luaL_dostring(L, prepare) != LUA_OK)
    fail_msg("%s", lua_tostring(L, -1));
  assert_int_equal(luaL_loadstring(L, script), LUA_OK);
  countdown.left = n;
  countdown.armed = true;
  int status = lua_pcall(L, 0, 0, 0);
  bool failed = countdown.left < 0;
  countdown.armed = false;
  if(status != LUA_OK) {
    const char *why = lua_tostring(L, -1);
    if(!failed || !why || !strstr(why, "not enough memory"))
      fail_msg("allocation %ld: %s", n, why ? why : "(no message)");
  }
  lua_close(L);
  return status == LUA_OK && !failed;
}

static long sweep(const char *prepare, const char *script)
{
  long n = 0;
  while(!run_once(prepare, script, n)) {
    n++;
    assert_true(n < 100000);
  }
  return n;
}

/* The other end and the I/O thread close theirs a moment later than Lua. */
static void wait_for_descriptors(int most)
{
  for(int i = 0; i < 500 && open_descriptors() > most; i++)
    poll(NULL, 0, 10);
  assert_true(open_descriptors() <= most);
}

/* Sweeps again and again: what the first rounds leave for good (caches) is not
 * a leak, what every round adds is. A small one only LeakSanitizer and
 * valgrind can tell from the C library's own caches (tools/check-memory). */
static void check(const char *prepare, const char *script)
{
  int descriptors = open_descriptors();
  long count = sweep(prepare, script);
  size_t used = 0, grown = 0;
  assert_true(count > 0);
  for(int round = 0; round < 6; round++) {
    wait_for_descriptors(descriptors);
    size_t now = mallinfo2().uordblks;
    grown = now > used ? now - used : 0;
    if(grown < 256 * (size_t)count)
      return;
    used = now;
    sweep(prepare, script);
  }
  fail_msg("%ld failures leave %zu bytes each time", count, grown);
}

#define REQUIRE "core = require('batchapi.core') "
#define CLIENT REQUIRE "mailbox = core.mailbox() client = core.client{ unix_socket = SOCKET } "
#define FINISH                                                                                     \
  "local function finish(call) "                                                                   \
  "  while not call:news() do mailbox:wait(1) mailbox:drain({}) end "                              \
  "end "

static void test_require(void **state)
{
  (void)state;
  check("", "require('batchapi.core')");
}

static void test_client(void **state)
{
  (void)state;
  check(REQUIRE,
        "local credential = assert(core.credential{ kind = 'bearer', token = 'secret' }) "
        "local client = assert(core.client{ unix_socket = SOCKET, credential = credential, "
        "  user_agent = 'x', limits = { { name = 'read', capacity = 2, per_minute = 100 } } }) "
        "local other = assert(client:derive{ user_agent = 'y' }) "
        "local text = tostring(client) .. tostring(other) .. tostring(credential) "
        "local stats = client:stats() "
        "client:close() other:close()");
}

static void test_call(void **state)
{
  (void)state;
  check(CLIENT,
        FINISH "local call = assert(client:start(mailbox, { method = 'POST', url = 'http://x/', "
               "  headers = { { 'A', 'b' }, { 'C', 'd' } }, body = 'body', timeout = 5, "
               "  repeats = 'safe', record_attempts = true, unaccepted = { 429, 503 }, "
               "  final_codes = { 'a', 'b' }, code_paths = { 'error.code' } })) "
               "finish(call) "
               "local outcome = call:outcome() "
               "assert(outcome.ok, outcome.message) "
               "assert(outcome.headers['x-twice'] == 'a, b') "
               "assert(#call:body() == 17 and call:json().a[3] == 3) "
               "assert(call:next_attempt().status == 200) "
               "local text = tostring(call) .. tostring(mailbox) "
               "call:release()");
}

static void test_prepared(void **state)
{
  (void)state;
  check(CLIENT,
        FINISH "local prepared = assert(client:prepare{ method = 'POST', repeats = 'safe', "
               "  headers = { { 'A', 'b' } }, final_codes = { 'a' }, unaccepted = { 429 } }) "
               "local call = assert(client:start(mailbox, prepared, 'http://x/', 'body')) "
               "finish(call) "
               "local status, _, _, _, _, _, id, limit, _, reset = call:answer{ "
               "  { 'x-none', 'x-twice' }, { 'content-length' }, {}, { 'x-twice' } } "
               "assert(status == 200 and id == 'a, b' and limit == 17 and reset == id) "
               "call:release() "
               "assert(client:start(mailbox, prepared, 'http://x/', 'body', call) == call) "
               "finish(call)");
}

static void test_stream(void **state)
{
  (void)state;
  check(CLIENT,
        FINISH "local call = assert(client:start(mailbox, { method = 'GET', url = 'http://x/', "
               "  stream = true })) "
               "finish(call) "
               "local lines = core.lines{} "
               "assert(lines:take(call)) lines:finish() "
               "assert(lines:json().a[2] == 'two')");
}

static void test_parts(void **state)
{
  (void)state;
  check(CLIENT, "local call = assert(client:start(mailbox, { method = 'PUT', url = 'http://x/', "
                "  parts = { { name = 'a', content = 'b', filename = 'c', type = 'd/e' }, "
                "            { name = 'f', content = 'g' } } })) "
                "call:cancel()");
}

static void test_failures(void **state)
{
  (void)state;
  check(CLIENT, "assert(not client:start(mailbox, { method = 'GET', url = 'http://x/', "
                "  headers = { { 'A', 'b\\n' } } })) "
                "assert(not core.decode('[1,')) "
                "assert(not pcall(core.client, { proxyy = 'x' }) or true)");
}

static void test_mailbox_and_timer(void **state)
{
  (void)state;
  check(REQUIRE, "local mailbox = assert(core.mailbox()) "
                 "assert(mailbox:fd() >= 0 and not mailbox:wait(0)) "
                 "assert(mailbox:listen()) mailbox:close() "
                 "local timer = assert(core.timer(1)) assert(not timer:expired()) timer:close()");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_require),  cmocka_unit_test(test_client),
      cmocka_unit_test(test_call),     cmocka_unit_test(test_prepared),
      cmocka_unit_test(test_stream),   cmocka_unit_test(test_parts),
      cmocka_unit_test(test_failures), cmocka_unit_test(test_mailbox_and_timer),
  };
  return cmocka_run_group_tests(tests, start_server, stop_server);
}
