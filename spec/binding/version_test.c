/* A module that was built for one Lua and is loaded by another refuses, before it touches anything.
 * This program says that it is another: the module's lua_version() is the one that is found first.
 */
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
#include <string.h>

static lua_Number told;

__attribute__((visibility("default"))) lua_Number lua_version(lua_State *L)
{
  (void)L;
  return told;
}

static void open_as(lua_Number version, int *status, char *message, size_t size)
{
  told = LUA_VERSION_NUM;
  lua_State *L = luaL_newstate();
  assert_non_null(L);
  luaL_openlibs(L);
  told = version;
  *status = luaL_dostring(L, "assert(require('batchapi.core').decode('[1]'))");
  const char *said = *status ? lua_tostring(L, -1) : "";
  strncpy(message, said ? said : "", size - 1);
  message[size - 1] = '\0';
  told = LUA_VERSION_NUM;
  lua_close(L);
}

static void test_another_lua_is_refused_with_a_sentence(void **state)
{
  (void)state;
  int status = 0;
  char message[400];
  open_as(LUA_VERSION_NUM + 1, &status, message, sizeof message);
  assert_int_not_equal(status, 0);
  assert_non_null(strstr(message, "batchapi.core was built for " LUA_VERSION));
}

static void test_its_own_lua_loads_it(void **state)
{
  (void)state;
  int status = 1;
  char message[400];
  open_as(LUA_VERSION_NUM, &status, message, sizeof message);
  assert_string_equal(message, "");
  assert_int_equal(status, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_another_lua_is_refused_with_a_sentence),
      cmocka_unit_test(test_its_own_lua_loads_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
