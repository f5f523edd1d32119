#include "binding/json/json_lua.h"

#include "binding/base/options.h"

#include <string.h>

/* ---- options ----------------------------------------------------------- */

static void check_depth(lua_State *L, struct ba_json_options *options)
{
  options->max_depth = (unsigned)ba_option_integer(L, "max_depth", 1, BA_JSON_MAX_DEPTH);
}

static void check_values(lua_State *L, struct ba_json_options *options)
{
  lua_Number values = lua_tonumber(L, -1);
  if(lua_type(L, -1) != LUA_TNUMBER || !(values >= 1 && values <= 9007199254740992.0))
    luaL_error(L, "max_values must be a positive number");
  options->max_values = (int64_t)values;
}

static void check_null(lua_State *L, struct ba_json_options *options)
{
  const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if(strcmp(word, "keep") != 0 && strcmp(word, "absent") != 0)
    luaL_error(L, "null must be \"absent\" or \"keep\"");
  options->keep_null = *word == 'k';
}

static void check_sort_keys(lua_State *L, struct ba_json_options *options)
{
  if(lua_type(L, -1) != LUA_TBOOLEAN)
    luaL_error(L, "sort_keys must be true or false");
  options->unsorted = !lua_toboolean(L, -1);
}

static void check_big_integers(lua_State *L, struct ba_json_options *options)
{
  static const char *const words[] = {"float", "text", "cdata"};
  const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  int known = 0;
  while(known < 3 && strcmp(word, words[known]) != 0)
    known++;
  if(known == 3)
    luaL_error(L, "big_integers must be \"float\", \"text\" or \"cdata\"");
  options->big = (enum ba_json_big)known;
  if(options->big == BA_JSON_BIG_CDATA && !ba_json_has_cdata(L))
    luaL_error(L, "big_integers = \"cdata\" is for LuaJIT");
}

struct option {
  const char *name;
  void (*check)(lua_State *L, struct ba_json_options *options);
};

static void refuse_option(lua_State *L, const char *name, const struct option *known)
{
  luaL_Buffer list;
  luaL_buffinit(L, &list);
  for(const struct option *one = known; one->name; one++) {
    luaL_addstring(&list, one == known ? "" : ", ");
    luaL_addstring(&list, one->name);
  }
  luaL_pushresult(&list);
  luaL_error(L, "unknown option '%s' (known: %s)", name, lua_tostring(L, -1));
}

/* `known` ends with one that has no name. */
static void check_options(lua_State *L, int index, const struct option *known,
                          struct ba_json_options *options)
{
  memset(options, 0, sizeof(*options));
  if(lua_isnoneornil(L, index))
    return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while(lua_next(L, index)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    const struct option *option = known;
    while(option->name && strcmp(name, option->name) != 0)
      option++;
    if(!option->name)
      refuse_option(L, name, known);
    option->check(L, options);
    lua_pop(L, 1);
  }
}

void ba_json_decode_options(lua_State *L, int index, struct ba_json_options *options)
{
  static const struct option known[] = {{"max_depth", check_depth},
                                        {"null", check_null},
                                        {"big_integers", check_big_integers},
                                        {"max_values", check_values},
                                        {NULL, NULL}};
  check_options(L, index, known, options);
}

void ba_json_answer_options(lua_State *L, int index, struct ba_json_options *options)
{
  ba_json_decode_options(L, index, options);
  if(!options->max_values)
    options->max_values = BA_JSON_ANSWER_VALUES;
}

void ba_json_encode_options(lua_State *L, int index, struct ba_json_options *options)
{
  static const struct option known[] = {
      {"max_depth", check_depth}, {"sort_keys", check_sort_keys}, {NULL, NULL}};
  check_options(L, index, known, options);
}

/* ---- functions --------------------------------------------------------- */

int ba_json_push_answer(lua_State *L, const char *bytes, size_t length, int index)
{
  struct ba_json_options options;
  ba_json_answer_options(L, index, &options);
  return ba_json_push_value(L, bytes, length, &options);
}

/* core.decode(text [, options]) -> value | nil, message, err   [-0, +1|3, v] */
static int json_decode(lua_State *L)
{
  size_t length;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *bytes = lua_tolstring(L, 1, &length);
  struct ba_json_options options;
  ba_json_decode_options(L, 2, &options);
  return ba_json_push_value(L, bytes, length, &options);
}

/* core.mend(text [, options]) -> value, repaired | nil, message, err   A lenient
 * reading; `repaired` says what and where, nil: nothing.  [-0, +2|3, v] */
static int json_mend(lua_State *L)
{
  size_t length;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *bytes = lua_tolstring(L, 1, &length);
  struct ba_json_options options;
  struct ba_json_mends mends;
  char text[BA_JSON_MENDS_MAX];
  ba_json_decode_options(L, 2, &options);
  options.mends = &mends;
  int count = ba_json_push_value(L, bytes, length, &options);
  if(count != 1)
    return count;
  if(ba_json_describe_mends(&mends, text) > 0)
    lua_pushstring(L, text);
  else
    lua_pushnil(L);
  return 2;
}

/* core.encode(value [, options]) -> string | nil, message, err   [-0, +1|3, v] */
static int json_encode(lua_State *L)
{
  luaL_checkany(L, 1);
  struct ba_json_options options;
  ba_json_encode_options(L, 2, &options);
  struct ba_json_codec *codec = ba_json_codec_take(L);
  struct ba_error err;
  bool ok = ba_json_encode(L, 1, codec, &options, &err);
  if(ok)
    lua_pushlstring(L, codec->out.bytes, codec->out.length);
  ba_json_codec_release(codec);
  return ok ? 1 : ba_fail(L, &err);
}

void ba_open_json(lua_State *L)
{
  ba_json_open_codec(L);
  ba_json_push_array_mt(L);
  lua_setfield(L, -2, "array_mt");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_pushcfunction(L, json_decode);
  lua_setfield(L, -2, "decode");
  lua_pushcfunction(L, json_mend);
  lua_setfield(L, -2, "mend");
  lua_pushcfunction(L, json_encode);
  lua_setfield(L, -2, "encode");
  lua_pushcfunction(L, ba_json_plain);
  lua_setfield(L, -2, "plain");
}
