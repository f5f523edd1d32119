/* core.can_yield(): asked before a request leaves, for a coroutine that cannot
 * yield could not wait for the answer. */
#include "binding/base/binding.h"
#include "binding/base/compat.h"

/* core.can_yield() -> boolean   Can the coroutine that runs yield here? Not the
 * main one, and none that C has called in between (string.gsub, table.sort,
 * require; on Lua 5.1 pcall and metamethods too). [-0, +1, -] */
static int yield_can(lua_State *L)
{
  lua_pushboolean(L, ba_can_yield(L));
  return 1;
}

static const luaL_Reg functions[] = {{"can_yield", yield_can}, {NULL, NULL}};

void ba_open_yield(lua_State *L)
{
  ba_learn_to_yield(L);
  ba_set_functions(L, functions);
}
