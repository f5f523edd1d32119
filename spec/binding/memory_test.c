/* Every allocation of Lua fails in turn (all from the n-th on, for Lua collects
 * and tries once more): each time the call raises or returns, nothing is lost,
 * and the same call works again at once. After memerr.lua of Lua's own tests. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

static long left = -1; /* allocations until all fail; < 0: none does */

static lua_State *collected;
static long until_collected = -1; /* allocations until its collector runs; < 0: it does not */

static void *allocate(void *user, void *block, size_t old_size, size_t size)
{
  (void)user;
  if(size == 0) {
    free(block);
    return NULL;
  }
  if(left == 0 && (!block || size > old_size))
    return NULL;
  if(left > 0 && (!block || size > old_size))
    left--;
  if(until_collected >= 0 && (!block || size > old_size) && until_collected-- == 0)
    lua_gc(collected, LUA_GCRESTART, 0);
  return realloc(block, size);
}

static void check(lua_State *L, int status)
{
  if(status != 0)
    fail_msg("%s", lua_tostring(L, -1));
}

/* What is called, as a function of `core` and a file's path; it gives a text
 * that must be the same each time. */
static const char *const calls[] = {
    "local core = ...\n"
    "local v = "
    "assert(core.decode([=[{\"a\":[1,2.5,null,\"x\\n\\u00e9\"],\"b\":{\"c\":{\"d\":[[],{}]}}}]=]))"
    "\n"
    "return function() return core.encode(v, { sort_keys = true }) end",

    "local core = ...\n"
    "local text = '[' .. ('{\"key\":\"a longer text than forty bytes, with an escape "
    "\\\\n\"},'):rep(40) .. '1]'\n"
    "return function() return #assert(core.decode(text)) .. '' end",

    "local core = ...\n"
    "local big = {}\n"
    "for i = 1, 200 do big['key number ' .. i] = { i, { x = i } } end\n"
    "return function() return core.encode(big, { sort_keys = true }) end",

    "local core = ...\n"
    "return function()\n"
    "  local value, message, err = core.decode('{\"a\":[1,2}')\n"
    "  return tostring(value) .. message .. err.kind .. err.offset\n"
    "end",

    "local core = ...\n"
    "return function() return select(2, core.encode({ a = { b = { 1, 0 / 0 } } })) end",

    "local core = ...\n"
    "return function()\n"
    "  local lines = core.lines()\n"
    "  lines:push('{\"a\":[\"\\\\n\",{}]}\\nbroken\\n')\n"
    "  local value = lines:json()\n"
    "  local _, message = lines:json()\n"
    "  return value.a[1] .. message .. lines:raw()\n"
    "end",

    "local core, path = ...\n"
    "return function()\n"
    "  local writer = assert(core.writer(path))\n"
    "  writer:encode({ b = 1, a = { 1, 2 } }, { sort_keys = true })\n"
    "  assert(writer:close())\n"
    "  local reader = assert(core.reader(path))\n"
    "  local value = reader:json()\n"
    "  reader:close()\n"
    "  return core.fs.read(path) .. value.a[2] .. core.fs.stat(path).size .. core.fs.sha256(path)\n"
    "end",
};

static void load(lua_State *L, const char *call, const char *path)
{
  lua_getglobal(L, "require");
  lua_pushliteral(L, "batchapi.core");
  check(L, lua_pcall(L, 1, 1, 0));
  check(L, luaL_loadstring(L, call));
  lua_insert(L, -2);
  lua_pushstring(L, path);
  check(L, lua_pcall(L, 2, 1, 0));
}

/* Calls the function at 1 and compares with the text at 2. */
static void call_again(lua_State *L)
{
  lua_pushvalue(L, 1);
  check(L, lua_pcall(L, 0, 1, 0));
  assert_string_equal(lua_tostring(L, -1), lua_tostring(L, 2));
  lua_pop(L, 1);
}

static void sweep(lua_State *L)
{
  long at = 0;
  for(;; at++) {
    lua_settop(L, 2);
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_pushvalue(L, 1);
    left = at;
    int status = lua_pcall(L, 0, 1, 0);
    left = -1;
    if(status == 0)
      break;
    call_again(L);
  }
  assert_string_equal(lua_tostring(L, -1), lua_tostring(L, 2));
  assert_true(at > 0);
}

static void raises_and_recovers(void **state)
{
  (void)state;
  char path[] = "/tmp/batchapi-memory-XXXXXX";
  assert_true(mkstemp(path) >= 0);
  for(size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
    lua_State *L = lua_newstate(allocate, NULL);
    if(!L) /* a LuaJIT that takes no allocator */
      skip();
    luaL_openlibs(L);
    load(L, calls[i], path);
    lua_pushvalue(L, 1);
    check(L, lua_pcall(L, 0, 1, 0));
    assert_true(lua_isstring(L, 2));
    sweep(L);
    lua_close(L);
  }
  remove(path);
}

/* A finaliser decodes while the state's first decode is at its n-th allocation. */
static void decodes_in_a_finaliser(void **state)
{
  static const char *const code =
      "local core, make = ..., newproxy\n"
      "local text = '{\"id\":\"aaaa\",\"object\":\"bbbb\"}'\n"
      "local garbage = make and make(true) or setmetatable({}, {})\n"
      "getmetatable(garbage).__gc = function() core.decode(text) end\n"
      "if not make then setmetatable(garbage, getmetatable(garbage)) end\n"
      "garbage = nil\n"
      "return function()\n"
      "  local all = ''\n"
      "  for _ = 1, 3 do\n"
      "    local value = core.decode(text)\n"
      "    all = all .. tostring(value.id) .. tostring(value.object)\n"
      "  end\n"
      "  return all\n"
      "end";
  (void)state;
  for(long at = 0; at < 60; at++) {
    lua_State *L = lua_newstate(allocate, NULL);
    if(!L)
      skip();
    luaL_openlibs(L);
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCSTOP, 0);
    load(L, code, NULL);
    collected = L;
    until_collected = at;
    check(L, lua_pcall(L, 0, 1, 0));
    until_collected = -1;
    assert_string_equal(lua_tostring(L, -1), "aaaabbbbaaaabbbbaaaabbbb");
    lua_close(L);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(raises_and_recovers),
                                     cmocka_unit_test(decodes_in_a_finaliser)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
