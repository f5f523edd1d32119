/* What other libraries' tables and values mean: their nulls and marks, and
 * tables that are read through __pairs or __len. Encoder and checks (core.plain)
 * both ask here, so that what was checked is what is sent. */
#include "binding/json/json_lua.h"

#include "binding/base/compat.h"

#include <stdio.h>
#include <string.h>

/* ---- whose it is --------------------------------------------------------------- */

/* Pushes the field of a module that is loaded, or nil; no metamethod runs, for a
 * program may watch its tables.   [-0, +1, m] */
static void push_loaded_field(lua_State *L, const char *module, const char *name)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_pushstring(L, module);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if(!lua_istable(L, -1)) {
    lua_pop(L, 1);
    lua_pushnil(L);
    return;
  }
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

static bool is_field_of(lua_State *L, int index, const char *module, const char *name)
{
  index = ba_absolute(L, index);
  push_loaded_field(L, module, name);
  bool same = !lua_isnil(L, -1) && lua_rawequal(L, -1, index);
  lua_pop(L, 1);
  return same;
}

bool ba_json_is_cjson(lua_State *L, int index, const char *name)
{
  return is_field_of(L, index, "cjson", name) || is_field_of(L, index, "cjson.safe", name);
}

/* vim.NIL: Neovim's is a global that is in no list of modules. */
static bool is_vim_nil(lua_State *L, int index)
{
  index = ba_absolute(L, index);
  ba_push_globals(L);
  lua_pushliteral(L, "vim");
  lua_rawget(L, -2);
  bool same = false;
  if(lua_istable(L, -1)) {
    lua_pushliteral(L, "NIL");
    lua_rawget(L, -2);
    same = !lua_isnil(L, -1) && lua_rawequal(L, -1, index);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return same;
}

static bool is_null(lua_State *L, int index)
{
  return is_field_of(L, index, "dkjson", "null") || is_field_of(L, index, "rapidjson", "null") ||
         is_vim_nil(L, index);
}

/* "-123LL", "123ULL": what LuaJIT writes for its 64-bit integers, and for
 * nothing else.   [-0, +0, e] */
static size_t read_cdata(lua_State *L, int index, char *out, size_t size)
{
  if(!luaL_callmeta(L, index, "__tostring"))
    return 0;
  const char *text = lua_tostring(L, -1);
  size_t length = text ? (text[0] == '-') : 0;
  length += text ? strspn(text + length, "0123456789") : 0;
  bool whole = length && text && length < size &&
               (strcmp(text + length, "LL") == 0 || strcmp(text + length, "ULL") == 0);
  if(whole)
    memcpy(out, text, length);
  lua_pop(L, 1);
  return whole ? length : 0;
}

size_t ba_json_foreign_value(lua_State *L, int index, char *out, size_t size)
{
  enum { LUAJIT_CDATA = 10 };
  const char *text = lua_touserdata(L, index) && ba_json_is_cjson(L, index, "empty_array") ? "[]"
                     : is_null(L, index)                                                   ? "null"
                                                                                           : NULL;
  if(text) {
    memcpy(out, text, strlen(text));
    return strlen(text);
  }
  return lua_type(L, index) == LUAJIT_CDATA ? read_cdata(L, index, out, size) : 0;
}

/* ---- tables that are read through functions ---------------------------------------- */

enum { LONGEST = 1 << 26 }; /* elements that a __len may promise */

/* A table { key = value } of what its __pairs gives.   [-1, +1, e] */
static int copy_pairs(lua_State *L)
{
  luaL_getmetafield(L, 1, "__pairs");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 3);
  lua_newtable(L);
  for(;;) { /* 2 to 4: function, state, control; 5: the copy */
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 4);
    lua_call(L, 2, 2);
    if(lua_isnil(L, -2)) {
      lua_settop(L, 5);
      return 1;
    }
    lua_pushvalue(L, -2);
    lua_replace(L, 4);
    lua_rawset(L, 5);
  }
}

/* An array of as many elements as its __len says.   [-1, +1, e] */
static int copy_length(lua_State *L)
{
  int64_t length = -1;
  luaL_getmetafield(L, 1, "__len");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  if(!ba_to_integer(L, -1, &length) || length < 0 || length > LONGEST)
    return luaL_error(L, "its __len gives no length");
  lua_createtable(L, (int)length, 0);
  ba_json_push_array_mt(L);
  lua_setmetatable(L, -2);
  for(int i = 1; i <= (int)length; i++) {
    lua_pushinteger(L, i);
    lua_gettable(L, 1);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

/* Does the metatable on the top have it?   [-0, +0, m] */
static bool has(lua_State *L, const char *name)
{
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  bool there = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return there;
}

static bool has_text(lua_State *L, const char *name, const char *text)
{
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  bool same = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), text) == 0;
  lua_pop(L, 1);
  return same;
}

/* Has the table below the top no field of its own?   [-0, +0, -] */
static bool is_bare(lua_State *L)
{
  lua_pushnil(L);
  if(!lua_next(L, -3))
    return true;
  lua_pop(L, 2);
  return false;
}

/* The table on the top is replaced by its copy.   [-0, +0, m] */
static enum ba_json_look replace(lua_State *L, lua_CFunction copy, char *why, size_t size)
{
  lua_pushcfunction(L, copy);
  lua_pushvalue(L, -2);
  if(lua_pcall(L, 1, 1, 0) == 0) {
    lua_replace(L, -2);
    return copy == copy_length ? BA_JSON_MARKED : BA_JSON_TABLE;
  }
  const char *message = lua_tostring(L, -1);
  snprintf(why, size, "a table that cannot be read: %s", message ? message : "an error in it");
  lua_pop(L, 1);
  return BA_JSON_REFUSED;
}

/* Is the metatable on the top that of a decoded table, which lies below it?  [-0, +0, m] */
static bool has_text_of_its_own(lua_State *L)
{
  lua_pushliteral(L, BA_JSON_TEXT_OF);
  lua_rawget(L, -2);
  bool same = lua_rawequal(L, -1, -3);
  lua_pop(L, 1);
  return same && has(L, BA_JSON_TEXT);
}

void ba_json_push_text(lua_State *L)
{
  lua_getmetatable(L, -1);
  lua_pushliteral(L, BA_JSON_TEXT);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

enum ba_json_look ba_json_look(lua_State *L, char *why, size_t size)
{
  if(!lua_getmetatable(L, -1))
    return BA_JSON_TABLE;
  ba_json_push_array_mt(L);
  bool own = lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  if(!own && has_text_of_its_own(L)) {
    lua_pop(L, 1);
    return BA_JSON_AS_TEXT;
  }
  /* cjson's empty_array_mt says something about an empty table only */
  bool marked = own || ba_json_is_cjson(L, -1, "array_mt") || has_text(L, "__jsontype", "array");
  bool ordered = !marked && has(L, BA_JSON_ORDER);
  bool pairs = !own && !ordered && has(L, "__pairs");
  bool length = !own && !ordered && !pairs && has(L, "__len") && is_bare(L);
  bool function = !marked && has(L, "__tojson");
  lua_pop(L, 1);
  if(function && is_null(L, -1))
    return BA_JSON_NOTHING;
  if(function) {
    snprintf(why, size, "a table with __tojson, which is not called here; give what it stands for");
    return BA_JSON_REFUSED;
  }
  enum ba_json_look look = pairs    ? replace(L, copy_pairs, why, size)
                           : length ? replace(L, copy_length, why, size)
                                    : BA_JSON_TABLE;
  return look == BA_JSON_TABLE && marked ? BA_JSON_MARKED : ordered ? BA_JSON_ORDERED : look;
}

bool ba_json_push_order(lua_State *L, int table)
{
  if(!lua_getmetatable(L, table))
    return false;
  lua_pushliteral(L, BA_JSON_ORDER);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  return lua_istable(L, -1);
}

/* ---- core.plain ---------------------------------------------------------------------- */

/* A copy of the own fields of the table at 1, of which none stands in it by way
 * of __index.   [-0, +1, m] */
static void push_copy(lua_State *L, bool marked)
{
  lua_newtable(L);
  int copy = lua_gettop(L);
  lua_pushnil(L);
  while(lua_next(L, 1)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, copy);
  }
  if(marked) {
    ba_json_push_array_mt(L);
    lua_setmetatable(L, -2);
  }
}

static int plain_table(lua_State *L)
{
  char why[BA_ERROR_MESSAGE_MAX];
  if(!lua_getmetatable(L, 1))
    return 1;
  ba_json_push_array_mt(L);
  bool own = lua_rawequal(L, -1, -2);
  bool index = (lua_pop(L, 1), has(L, "__index"));
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  enum ba_json_look look = ba_json_look(L, why, sizeof(why));
  bool replaced = !lua_rawequal(L, 1, 2);
  if(look == BA_JSON_NOTHING)
    lua_pushlightuserdata(L, NULL);
  else if(!replaced && !own && (look == BA_JSON_MARKED || (look == BA_JSON_TABLE && index)))
    push_copy(L, look == BA_JSON_MARKED);
  return 1;
}

/* core.plain(value) -> value   As the encoder reads it: a foreign null is null, a
 * table that is read through functions, or has fields by way of __index, is a
 * plain copy. What it cannot read stays, for the encoder to name. [-0, +1, m] */
int ba_json_plain(lua_State *L)
{
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if(lua_istable(L, 1))
    return plain_table(L);
  int type = lua_type(L, 1);
  if((type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TLIGHTUSERDATA) &&
     is_null(L, 1))
    lua_pushlightuserdata(L, NULL);
  return 1;
}
