#include "json_lua.h"

#include "compat.h"

#include <string.h>

/* Builds Lua values from the scanner's tokens without recursion: the tables
 * that are open lie on the Lua stack, an object's with the key above it whose
 * value comes next. One level of C memory per open table: */
struct level {
  lua_Integer count; /* elements or members so far */
  unsigned place;    /* a hash of the path that leads here */
  bool object;
};

struct decoder {
  struct ba_json_scanner scanner;
  struct ba_json_codec *codec;
  int array_mt, list; /* stack indices; list: of the known keys */
  bool keep_null;
  unsigned depth;
  struct level levels[BA_JSON_MAX_DEPTH + 1];
};

/* The lines of a result file are alike: a table is made with room for as many
 * members as the last one at this place had, which saves Lua's rehashing. */
enum { HINT_MAX = 1024 };

static void open_table(lua_State *L, struct decoder *decoder, bool object)
{
  struct level *parent = &decoder->levels[decoder->depth];
  struct level *level = &decoder->levels[++decoder->depth];
  level->count = 0;
  level->object = object;
  level->place = parent->place * 31 + 1;
  luaL_checkstack(L, 4, "too many nested values");
  if(parent->object && decoder->depth > 1) {
    size_t length;
    const char *key = lua_tolstring(L, -1, &length);
    level->place += (unsigned)length * 7;
    if(length)
      level->place += (unsigned char)key[0] * 131u + (unsigned char)key[length - 1] * 31u;
  }
  int hint = decoder->codec->hints[level->place % BA_JSON_HINTS];
  if(object) {
    lua_createtable(L, 0, hint);
  } else {
    lua_createtable(L, hint, 0);
    lua_pushvalue(L, decoder->array_mt);
    lua_setmetatable(L, -2);
  }
}

static void close_table(struct decoder *decoder)
{
  struct level *level = &decoder->levels[decoder->depth--];
  unsigned short *hint = &decoder->codec->hints[level->place % BA_JSON_HINTS];
  *hint = (unsigned short)(level->count < HINT_MAX ? level->count : HINT_MAX);
}

enum { KNOWN_MAX_BYTES = 40 };

/* Keys come again and again: one that is known needs no hash over its bytes,
 * which is what making a string costs most. */
static void push_key(lua_State *L, struct decoder *decoder, const char *text, size_t length)
{
  if(length == 0 || length > KNOWN_MAX_BYTES) {
    lua_pushlstring(L, text, length);
    return;
  }
  unsigned hash = (unsigned char)text[0] + 5u * (unsigned char)text[length - 1] +
                  17u * (unsigned char)text[length / 2] + 31u * (unsigned)length;
  struct ba_json_key *key = &decoder->codec->known[hash % BA_JSON_KEYS];
  if(key->length == length && memcmp(key->text, text, length) == 0) {
    lua_rawgeti(L, decoder->list, (int)(hash % BA_JSON_KEYS) + 1);
    return;
  }
  key->length = 0;
  lua_pushlstring(L, text, length);
  lua_pushvalue(L, -1);
  lua_rawseti(L, decoder->list, (int)(hash % BA_JSON_KEYS) + 1);
  key->text = lua_tolstring(L, -1, &key->length);
}

/* A null member is absent, also when the key was there before. */
static void drop_member(lua_State *L)
{
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  bool there = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if(there) {
    lua_pushnil(L);
    lua_rawset(L, -3);
  } else {
    lua_pop(L, 1);
  }
}

/* Puts the value on top of the stack where it belongs. */
static void store(lua_State *L, struct decoder *decoder)
{
  if(decoder->depth == 0)
    return;
  struct level *level = &decoder->levels[decoder->depth];
  level->count++;
  if(level->object)
    lua_rawset(L, -3);
  else
    lua_rawseti(L, -2, (int)level->count);
}

static void store_null(lua_State *L, struct decoder *decoder)
{
  if(decoder->depth && decoder->levels[decoder->depth].object && !decoder->keep_null) {
    drop_member(L);
    return;
  }
  lua_pushlightuserdata(L, NULL);
  store(L, decoder);
}

/* One token; false at the document's end or on failure. */
static bool take_token(lua_State *L, struct decoder *decoder, enum ba_json_token token)
{
  struct ba_json_scanner *scanner = &decoder->scanner;
  switch(token) {
  case BA_JSON_KEY:
    push_key(L, decoder, scanner->string, scanner->length);
    return true;
  case BA_JSON_STRING:
    lua_pushlstring(L, scanner->string, scanner->length);
    break;
  case BA_JSON_INTEGER:
    ba_push_integer(L, scanner->integer);
    break;
  case BA_JSON_FLOAT:
    lua_pushnumber(L, (lua_Number)scanner->number);
    break;
  case BA_JSON_TRUE:
  case BA_JSON_FALSE:
    lua_pushboolean(L, token == BA_JSON_TRUE);
    break;
  case BA_JSON_NULL:
    store_null(L, decoder);
    return true;
  case BA_JSON_ARRAY:
  case BA_JSON_OBJECT:
    open_table(L, decoder, token == BA_JSON_OBJECT);
    return true;
  case BA_JSON_ARRAY_END:
  case BA_JSON_OBJECT_END:
    close_table(decoder);
    break;
  default:
    return false;
  }
  store(L, decoder);
  return true;
}

static int push_decode_failure(lua_State *L, const struct ba_json_scanner *scanner)
{
  struct ba_error err = scanner->error;
  if(err.kind == BA_DECODE)
    ba_error_set(&err, BA_DECODE, scanner->error.code, "not valid JSON: %s",
                 scanner->error.message);
  int count = ba_fail(L, &err);
  ba_push_integer(L, (int64_t)ba_json_offset(scanner));
  lua_setfield(L, -2, "offset");
  return count;
}

int ba_json_push_value(lua_State *L, const char *bytes, size_t length,
                       const struct ba_json_options *options)
{
  luaL_checkstack(L, 10, "too many values");
  struct decoder decoder;
  int top = lua_gettop(L);
  decoder.codec = ba_json_codec_take(L);
  ba_json_push_array_mt(L);
  decoder.array_mt = lua_gettop(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, decoder.codec->list);
  decoder.list = lua_gettop(L);
  decoder.keep_null = options && options->keep_null;
  decoder.depth = 0;
  decoder.levels[0] = (struct level){0};
  ba_json_scanner_init(&decoder.scanner, bytes, length, options ? options->max_depth : 0,
                       &decoder.codec->scratch);
  enum ba_json_token token;
  do {
    token = ba_json_next(&decoder.scanner);
  } while(take_token(L, &decoder, token));
  ba_json_codec_release(decoder.codec);
  if(token == BA_JSON_END) {
    lua_replace(L, top + 1); /* the codec */
    lua_settop(L, top + 1);
    return 1;
  }
  lua_settop(L, top);
  return push_decode_failure(L, &decoder.scanner);
}
