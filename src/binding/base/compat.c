/* See compat.h. */
#include "binding/base/compat.h"

#include <string.h>

/* 5.2 and 5.3 give a pointer, later ones a number; 5.1 and LuaJIT, which are one to a module, know
 * no version. Where the difference is greater than between two that have this function in common,
 * the loader itself finds a symbol missing. [-0, +0, -] */
static bool is_own_version(lua_State *L)
{
#if LUA_VERSION_NUM < 502
  (void)L;
  return true;
#elif LUA_VERSION_NUM < 504
  return *lua_version(L) == LUA_VERSION_NUM;
#else
  return lua_version(L) == LUA_VERSION_NUM;
#endif
}

void ba_check_version(lua_State *L)
{
  if(!is_own_version(L))
    luaL_error(L, "batchapi.core was built for " LUA_VERSION
                  " and is loaded by another Lua; build it for this one");
}

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

void *ba_check_object(lua_State *L, int index, const char *type)
{
  if(index == 1 && lua_getmetatable(L, 1)) {
    void *object = lua_rawequal(L, -1, lua_upvalueindex(1)) ? lua_touserdata(L, 1) : NULL;
    lua_pop(L, 1);
    if(object)
      return object;
  }
  return luaL_checkudata(L, index, type);
}

bool ba_holds_integer(bool negative, uint64_t size)
{
#if LUA_VERSION_NUM >= 503
  return size <= (uint64_t)INT64_MAX + negative;
#else
  (void)negative;
  return size <= (uint64_t)1 << 53;
#endif
}

void ba_push_globals(lua_State *L)
{
#if LUA_VERSION_NUM >= 502
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
#else
  lua_pushvalue(L, LUA_GLOBALSINDEX);
#endif
}

void ba_set_functions(lua_State *L, const luaL_Reg *functions)
{
  for(; functions->name; functions++) {
    lua_pushcfunction(L, functions->func);
    lua_setfield(L, -2, functions->name);
  }
}

/* The same, with the metatable at `metatable` as their upvalue. [-0, +0, m] */
static void set_methods(lua_State *L, int metatable, const luaL_Reg *methods)
{
  for(; methods->name; methods++) {
    lua_pushvalue(L, metatable);
    lua_pushcclosure(L, methods->func, 1);
    lua_setfield(L, -2, methods->name);
  }
}

void ba_new_type(lua_State *L, const char *type, const luaL_Reg *methods,
                 const luaL_Reg *metamethods)
{
  if(luaL_newmetatable(L, type)) {
    int metatable = lua_gettop(L);
    lua_newtable(L);
    set_methods(L, metatable, methods);
    lua_setfield(L, -2, "__index");
    set_methods(L, metatable, metamethods);
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
