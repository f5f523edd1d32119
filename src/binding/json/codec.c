/* What a Lua state keeps between calls, and the metatable that marks arrays. */
#include "binding/json/json_lua.h"

#include "binding/base/kept.h"

#include <string.h>

#define CODEC "batchapi.json.codec"
#define ARRAY_MT "batchapi.array"

/* Memory that one large document left behind is given back. */
enum { KEEP_BYTES = 1 << 20 };

static const char codec_key;

/* Is it the state's, and in the middle of a value? Lua 5.1 runs finalisers
 * within finalisers. */
static bool in_use(lua_State *L, const struct ba_json_codec *codec)
{
  lua_pushlightuserdata(L, (void *)&codec_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  bool current = lua_touserdata(L, -1) == codec;
  lua_pop(L, 1);
  return current && codec->busy;
}

/* When a state closes, finalisers that run after this one may still encode and
 * decode, and the registry still shows them this codec. They use it (a new
 * userdata would not be finalised any more) and keep nothing in it. */
static int codec_gc(lua_State *L)
{
  struct ba_json_codec *codec = luaL_checkudata(L, 1, CODEC);
  codec->finalised = true;
  if(in_use(L, codec))
    return 0; /* its release frees what it can */
  luaL_unref(L, LUA_REGISTRYINDEX, codec->list);
  codec->list = LUA_NOREF;
  memset(codec->known, 0, sizeof(codec->known));
  ba_buffer_wipe(&codec->scratch);
  ba_buffer_wipe(&codec->out);
  ba_buffer_free(&codec->keys);
  return 0;
}

static void make_list(lua_State *L, struct ba_json_codec *codec)
{
  ba_push_kept_list(L, BA_JSON_LIST);
  ba_json_push_array_mt(L);
  lua_rawseti(L, -2, BA_JSON_LIST_ARRAY_MT);
  codec->list = luaL_ref(L, LUA_REGISTRYINDEX);
}

static struct ba_json_codec *new_codec(lua_State *L)
{
  struct ba_json_codec *codec = lua_newuserdata(L, sizeof(*codec));
  memset(codec, 0, sizeof(*codec));
  ba_buffer_init(&codec->scratch, BA_JSON_MAX_BYTES);
  ba_buffer_init(&codec->out, BA_JSON_MAX_BYTES);
  ba_buffer_init(&codec->keys, BA_JSON_MAX_BYTES);
  codec->list = LUA_NOREF;
  luaL_getmetatable(L, CODEC);
  lua_setmetatable(L, -2);
  return codec;
}

struct ba_json_codec *ba_json_codec_take(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&codec_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  struct ba_json_codec *codec = lua_touserdata(L, -1);
  if(!codec || codec->busy) {
    lua_pop(L, 1);
    codec = new_codec(L);
    lua_pushlightuserdata(L, (void *)&codec_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
  }
  codec->busy = true; /* before anything that may run a finaliser */
  if(codec->list == LUA_NOREF)
    make_list(L, codec);
  return codec;
}

void ba_json_codec_release(struct ba_json_codec *codec)
{
  size_t keep = codec->finalised ? 0 : KEEP_BYTES;
  if(codec->scratch.capacity > keep)
    ba_buffer_free(&codec->scratch);
  if(codec->out.capacity > keep)
    ba_buffer_free(&codec->out);
  if(codec->keys.capacity > keep)
    ba_buffer_free(&codec->keys);
  ba_buffer_clear(&codec->out);
  ba_buffer_clear(&codec->keys);
  codec->busy = false;
}

void ba_json_push_array_mt(lua_State *L)
{
  lua_getfield(L, LUA_REGISTRYINDEX, ARRAY_MT);
}

void ba_json_open_codec(lua_State *L)
{
  if(luaL_newmetatable(L, CODEC)) {
    lua_pushcfunction(L, codec_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  if(luaL_newmetatable(L, ARRAY_MT)) {
    lua_pushliteral(L, ARRAY_MT);
    lua_setfield(L, -2, "__name");
  }
  lua_pop(L, 1);
}
