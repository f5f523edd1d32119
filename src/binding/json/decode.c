#include "binding/json/json_lua.h"

#include "batchapi/json_scan.h"
#include "binding/base/compat.h"
#include "binding/base/kept.h"

#include <string.h>

/* Builds Lua values from the scanner's tokens without recursion: the tables
 * that are open lie on the Lua stack, an object's with the key above it whose
 * value comes next. One level of C memory per open table: */
struct level {
  lua_Integer count; /* elements or members so far */
  uint32_t place;    /* a hash of the path that leads here */
  unsigned slot;     /* of the last member's key among the known ones; or NO_SLOT */
  bool object;
};

struct decoder {
  struct ba_json_scanner scanner;
  struct ba_json_codec *codec;
  int list; /* stack index of the codec's list */
  bool keep_null;
  enum ba_json_big big;
  int64_t left;                               /* values that may still come */
  struct level levels[BA_JSON_MAX_DEPTH + 1]; /* the first is the document's, which is no table */
};

enum { NO_SLOT = BA_JSON_KEYS };

/* ---- tables -------------------------------------------------------------- */

/* The lines of a result file are alike: a table is made with room for as many
 * members as the last one at this place had, which saves Lua's rehashing: 32 %
 * of the instructions of a line of OpenAI's (callgrind). */
enum { HINT_MAX = 1024, STACK_LEVELS = 8 };

static inline unsigned short *hint_at(const struct decoder *decoder, const struct level *level)
{
  return &decoder->codec->hints[level->place % BA_JSON_HINTS];
}

/* Opens a table below `level`, whose member it will be. */
static inline struct level *open_table(lua_State *L, struct decoder *decoder, struct level *level,
                                       bool object)
{
  uint32_t place = level->place * 31 + level->slot;
  *++level = (struct level){.place = place ^ place >> 9, .slot = NO_SLOT, .object = object};
  /* for some levels at once: a table and a key each, and what is pushed meanwhile */
  if(decoder->scanner.depth % STACK_LEVELS == 1)
    luaL_checkstack(L, 2 * STACK_LEVELS + 4, "too many nested values");
  int hint = *hint_at(decoder, level);
  if(object) {
    lua_createtable(L, 0, hint);
  } else {
    lua_createtable(L, hint, 0);
    lua_rawgeti(L, decoder->list, BA_JSON_LIST_ARRAY_MT);
    lua_setmetatable(L, -2);
  }
  return level;
}

static inline struct level *close_table(struct decoder *decoder, struct level *level)
{
  *hint_at(decoder, level) = (unsigned short)(level->count < HINT_MAX ? level->count : HINT_MAX);
  return level - 1;
}

/* ---- keys ---------------------------------------------------------------- */

/* Keys come again and again: one that is known needs no hash over its bytes,
 * which is what making a string costs most. Both ways together are 22 % of such
 * a line, and the guess below 8 %. */
enum { KNOWN_MAX_BYTES = 40, PROBES = 4 };

/* Where the key is among the known ones, or may be put. */
static unsigned find_slot(const struct ba_json_codec *codec, const char *text, size_t length)
{
  unsigned hash = ba_word_hash(text, length);
  for(unsigned i = 0; i < PROBES; i++) {
    unsigned slot = (hash + i) % BA_JSON_KEYS;
    const struct ba_json_key *key = &codec->known[slot];
    if(key->length == 0 || (key->length == length && ba_same_bytes(key->text, text, length)))
      return slot;
  }
  return hash % BA_JSON_KEYS;
}

static void push_known(lua_State *L, const struct decoder *decoder, unsigned slot)
{
  lua_rawgeti(L, decoder->list, (int)slot + 1);
}

/* Pushes the key that the scanner has read, and gives its slot. */
static unsigned push_key(lua_State *L, struct decoder *decoder)
{
  const char *text = decoder->scanner.string;
  size_t length = decoder->scanner.length;
  bool escaped = text == decoder->codec->scratch.bytes;
  if(length == 0 || length > KNOWN_MAX_BYTES || escaped) {
    lua_pushlstring(L, text, length);
    return NO_SLOT;
  }
  unsigned slot = find_slot(decoder->codec, text, length);
  struct ba_json_key *key = &decoder->codec->known[slot];
  if(key->length == length && ba_same_bytes(key->text, text, length)) {
    push_known(L, decoder, slot);
    return slot;
  }
  key->length = key->value_length = 0;
  lua_pushlstring(L, text, length);
  ba_keep(L, decoder->list, (int)slot + 1, &key->text, &key->length);
  return slot;
}

/* Members come in the same order, too: the key is first compared with the one
 * that followed the last one here before, and then needs not be read. */
static inline bool take_key(lua_State *L, struct decoder *decoder, struct level *level)
{
  struct ba_json_codec *codec = decoder->codec;
  uint32_t place = level->place + level->slot * 0x9E3779B1u;
  unsigned char *guess = &codec->guesses[(place >> 16 ^ place) % BA_JSON_GUESSES];
  const struct ba_json_key *key = &codec->known[*guess];
  if(key->length && ba_json_take_key(&decoder->scanner, key->text, key->length)) {
    level->slot = *guess;
    push_known(L, decoder, level->slot);
    return true;
  }
  if(ba_json_read_key(&decoder->scanner) == BA_JSON_FAILED)
    return false;
  level->slot = push_key(L, decoder);
  if(level->slot != NO_SLOT)
    *guess = (unsigned char)level->slot;
  return true;
}

/* ---- values -------------------------------------------------------------- */

/* Of many keys the value is the same again and again ("object", "role"): then
 * it needs no hash either. Kept is what came twice running, and so no text that
 * comes once only. */
static void push_value(lua_State *L, struct decoder *decoder, unsigned slot)
{
  const char *text = decoder->scanner.string;
  size_t length = decoder->scanner.length;
  struct ba_json_key *key = &decoder->codec->known[slot];
  if(length == key->value_length && ba_same_bytes(key->value, text, length)) {
    lua_rawgeti(L, decoder->list, BA_JSON_KEYS + (int)slot + 1);
    return;
  }
  lua_pushlstring(L, text, length);
  uint32_t head, tail;
  memcpy(&head, text, sizeof(head));
  memcpy(&tail, text + length - sizeof(tail), sizeof(tail));
  uint32_t hash = head * 31 + tail + (uint32_t)length;
  if(hash != key->missed) {
    key->missed = hash;
    return;
  }
  key->value_length = 0;
  ba_keep(L, decoder->list, BA_JSON_KEYS + (int)slot + 1, &key->value, &key->value_length);
}

static inline void push_string(lua_State *L, struct decoder *decoder, const struct level *level)
{
  size_t length = decoder->scanner.length;
  if(level->slot < NO_SLOT && length >= 4 && length <= KNOWN_MAX_BYTES)
    push_value(L, decoder, level->slot);
  else
    lua_pushlstring(L, decoder->scanner.string, length);
}

/* A null member is absent, also when the key, which is on the top, was there
 * before. */
static void drop_member(lua_State *L, struct decoder *decoder, const struct level *level)
{
  lua_rawget(L, -2);
  bool there = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if(!there)
    return;
  if(level->slot == NO_SLOT)
    lua_pushlstring(L, decoder->scanner.string, decoder->scanner.length);
  else
    push_known(L, decoder, level->slot);
  lua_pushnil(L);
  lua_rawset(L, -3);
}

static bool push_big(lua_State *L, const struct decoder *decoder)
{
  const struct ba_json_scanner *scanner = &decoder->scanner;
  return ba_json_push_big(L, scanner->start, scanner->at, decoder->big);
}

static enum ba_json_token too_many(struct ba_json_scanner *scanner)
{
  ba_error_set(&scanner->error, BA_TOO_LARGE, "values",
               "the document has more values than max_json_values lets be decoded");
  return BA_JSON_FAILED;
}

/* Takes tokens until the document's end or a failure, and gives that. */
static enum ba_json_token build(lua_State *L, struct decoder *decoder)
{
  struct ba_json_scanner *scanner = &decoder->scanner;
  struct level *level = decoder->levels;
  for(;;) {
    enum ba_json_token token = ba_json_step(scanner);
    if(token == BA_JSON_KEY) {
      if(!take_key(L, decoder, level))
        return BA_JSON_FAILED;
      token = ba_json_to_value(scanner, scanner->at);
    }
    if(token == BA_JSON_VALUE)
      token = ba_json_value(scanner);
    switch(token) {
    case BA_JSON_STRING:
      push_string(L, decoder, level);
      break;
    case BA_JSON_INTEGER:
      if(!decoder->big || !push_big(L, decoder))
        ba_push_integer(L, scanner->integer);
      break;
    case BA_JSON_FLOAT:
      if(!decoder->big || !push_big(L, decoder))
        lua_pushnumber(L, (lua_Number)scanner->number);
      break;
    case BA_JSON_TRUE:
    case BA_JSON_FALSE:
      lua_pushboolean(L, token == BA_JSON_TRUE);
      break;
    case BA_JSON_NULL:
      if(level->object && !decoder->keep_null) {
        drop_member(L, decoder, level);
        continue;
      }
      lua_pushlightuserdata(L, NULL);
      break;
    case BA_JSON_ARRAY:
    case BA_JSON_OBJECT:
      decoder->left -= BA_JSON_TABLE_VALUES - 1;
      level = open_table(L, decoder, level, token == BA_JSON_OBJECT);
      continue;
    case BA_JSON_ARRAY_END:
    case BA_JSON_OBJECT_END:
      level = close_table(decoder, level);
      break;
    default:
      return token;
    }
    /* the value on the top goes where it belongs */
    level->count++;
    if(--decoder->left < 0)
      return too_many(scanner);
    if(level->object)
      lua_rawset(L, -3);
    else if(level != decoder->levels)
      lua_rawseti(L, -2, (int)level->count);
  }
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
  lua_rawgeti(L, LUA_REGISTRYINDEX, decoder.codec->list);
  decoder.list = lua_gettop(L);
  decoder.keep_null = options && options->keep_null;
  decoder.big = options ? options->big : BA_JSON_BIG_FLOAT;
  decoder.left = options && options->max_values ? options->max_values : INT64_MAX;
  decoder.levels[0] = (struct level){.slot = NO_SLOT};
  ba_json_scanner_init(&decoder.scanner, bytes, length, options ? options->max_depth : 0,
                       &decoder.codec->scratch);
  if(options && options->mends)
    ba_json_scanner_mend(&decoder.scanner, options->mends);
  enum ba_json_token token = build(L, &decoder);
  ba_json_codec_release(decoder.codec);
  if(token == BA_JSON_END) {
    lua_replace(L, top + 1); /* the codec */
    lua_settop(L, top + 1);
    return 1;
  }
  lua_settop(L, top);
  return push_decode_failure(L, &decoder.scanner);
}
