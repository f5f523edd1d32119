/* Integers that this Lua's numbers do not hold: beyond 2^53 on Lua 5.1, 5.2 and
 * LuaJIT, beyond 64 bits on later ones. */
#include "binding/json/json_lua.h"

#include "binding/base/compat.h"

#include <stdlib.h>
#include <string.h>

static const char maker_key;

/* high and low half of the size, each exact as a float, and the sign */
static const char maker_source[] =
    "local ffi = require('ffi')\n"
    "local unsigned, signed = ffi.typeof('uint64_t'), ffi.typeof('int64_t')\n"
    "return function(high, low, negative)\n"
    "  local size = unsigned(high) * 4294967296ULL + unsigned(low)\n"
    "  if negative then\n"
    "    return -signed(size)\n"
    "  end\n"
    "  return size <= 9223372036854775807ULL and signed(size) or size\n"
    "end\n";

/* Pushes the function that makes them, or nil.   [-0, +1, m] */
static void push_maker(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&maker_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if(!lua_isnil(L, -1))
    return;
  lua_pop(L, 1);
  if(luaL_loadbuffer(L, maker_source, sizeof(maker_source) - 1, "=batchapi.json_big") != 0 ||
     lua_pcall(L, 0, 1, 0) != 0) {
    lua_pop(L, 1);
    lua_pushnil(L);
    return;
  }
  lua_pushlightuserdata(L, (void *)&maker_key);
  lua_pushvalue(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

bool ba_json_has_cdata(lua_State *L)
{
  push_maker(L);
  bool has = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return has;
}

/* The digits' value; false: beyond 64 bits. */
static bool read_size(const char *digits, size_t length, uint64_t *out)
{
  uint64_t size = 0;
  for(size_t i = 0; i < length; i++) {
    unsigned digit = (unsigned)(digits[i] - '0');
    if(size > (UINT64_MAX - digit) / 10)
      return false;
    size = size * 10 + digit;
  }
  *out = size;
  return true;
}

bool ba_json_push_big(lua_State *L, const char *start, const char *end, enum ba_json_big big)
{
  enum { EXACT_DIGITS = 15 };
  const char *digits = end;
  while(digits > start && digits[-1] >= '0' && digits[-1] <= '9')
    digits--;
  bool negative = digits > start && digits[-1] == '-';
  const char *text = digits - negative;
  size_t length = (size_t)(end - digits);
  /* or the digits are those of a fraction or an exponent */
  if(length <= EXACT_DIGITS || (text > start && text[-1] && strchr(".eE+", text[-1])))
    return false;
  uint64_t size = 0;
  bool fits = read_size(digits, length, &size);
  if(fits && ba_holds_integer(negative, size))
    return false;
  if(big == BA_JSON_BIG_TEXT) {
    lua_pushlstring(L, text, (size_t)(end - text));
    return true;
  }
  if(!fits || (negative && size > (uint64_t)INT64_MAX + 1))
    return false; /* a float */
  push_maker(L);
  lua_pushnumber(L, (lua_Number)(size >> 32));
  lua_pushnumber(L, (lua_Number)(size & UINT32_MAX));
  lua_pushboolean(L, negative);
  lua_call(L, 3, 1);
  return true;
}
