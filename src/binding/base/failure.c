/* How a failure of the core reaches Lua. */
#include "binding/base/binding.h"

#include "batchapi/error.h"

int ba_fail(lua_State *L, const struct ba_error *err)
{
  if(err->kind == BA_NOMEM || err->kind == BA_MISUSE)
    return luaL_error(L, "%s", err->message);
  lua_pushnil(L);
  lua_pushstring(L, err->message);
  lua_createtable(L, 0, 3);
  lua_pushstring(L, ba_kind_name(err->kind));
  lua_setfield(L, -2, "kind");
  if(err->code[0]) {
    lua_pushstring(L, err->code);
    lua_setfield(L, -2, "code");
  }
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "message");
  return 3;
}
