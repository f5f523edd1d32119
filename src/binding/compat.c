/* See compat.h. */
#include "compat.h"

#include <string.h>

int ba_absolute(lua_State *L, int index)
{
  return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}

void *ba_test_userdata(lua_State *L, int index, const char *type)
{
  void *userdata = lua_touserdata(L, index);
  if(!userdata || !lua_getmetatable(L, index))
    return NULL;
  luaL_getmetatable(L, type);
  if(!lua_rawequal(L, -1, -2))
    userdata = NULL;
  lua_pop(L, 2);
  return userdata;
}

void ba_push_integer(lua_State *L, int64_t value)
{
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)value);
#else
  lua_pushnumber(L, (lua_Number)value);
#endif
}

bool ba_to_integer(lua_State *L, int index, int64_t *value)
{
  if(lua_type(L, index) != LUA_TNUMBER)
    return false;
#if LUA_VERSION_NUM >= 503
  int whole = 0;
  *value = lua_tointegerx(L, index, &whole);
  return whole != 0;
#else
  lua_Number number = lua_tonumber(L, index);
  if(!(number >= -9007199254740992.0 && number <= 9007199254740992.0))
    return false;
  *value = (int64_t)number;
  return (lua_Number)*value == number;
#endif
}

void ba_set_functions(lua_State *L, const luaL_Reg *functions)
{
  for(; functions->name; functions++) {
    lua_pushcfunction(L, functions->func);
    lua_setfield(L, -2, functions->name);
  }
}

void ba_new_type(lua_State *L, const char *type, const luaL_Reg *methods,
                 const luaL_Reg *metamethods)
{
  if(luaL_newmetatable(L, type)) {
    lua_newtable(L);
    ba_set_functions(L, methods);
    lua_setfield(L, -2, "__index");
    ba_set_functions(L, metamethods);
    lua_getfield(L, -1, "__gc");
    lua_setfield(L, -2, "__close");
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__name");
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__metatable");
  }
  lua_pop(L, 1);
}

void *ba_new_userdata(lua_State *L, size_t size, const char *type)
{
  void *userdata = lua_newuserdata(L, size);
  memset(userdata, 0, size);
  luaL_getmetatable(L, type);
  lua_setmetatable(L, -2);
  return userdata;
}
