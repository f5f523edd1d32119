#include "binding/json/json_lua.h"

#include "binding/base/compat.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Walks a Lua value without recursion and writes as it goes. Each open table
 * takes two slots of the Lua stack, itself and the key that lua_next() is at.
 * What a table is shows itself by its first key; an array is read with
 * lua_next() too, which for an array built in order gives 1, 2, 3 …. If it
 * does not, the whole value is written again, `careful`: each array is counted
 * first and then read by index. That is rare, and so at most doubles the work. */
enum kind {
  UNDECIDED, /* before the first key */
  OBJECT,
  OBJECT_SORTED, /* its members lie above the table, see ba_json_sort() */
  ARRAY,         /* by lua_next() */
  ARRAY_BY_INDEX /* careful; the key's slot is unused */
};

struct level {
  enum kind kind;
  bool marked;  /* as an array, by its metatable */
  bool ordered; /* its metatable has an order of its keys */
  int64_t count;
  int64_t length; /* ARRAY_BY_INDEX */
  int table;      /* its place on the stack */
  struct ba_json_members members;
};

struct encoder {
  struct ba_buffer *out;
  struct ba_error *err;
  int base; /* the stack's top below what the walk uses */
  bool careful, out_of_order, unsorted;
  struct ba_buffer *keys;
  unsigned depth, max_depth;
  struct level levels[BA_JSON_MAX_DEPTH + 1];
};

enum step { STEP_FAILED, STEP_VALUE, STEP_END };

/* ---- failures ---------------------------------------------------------- */

enum { PATH_MAX_BYTES = 200 };

static bool is_name(const char *key, size_t length)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  return length && strspn(key, letters) == length && (*key < '0' || *key > '9');
}

enum { KEY_MAX_BYTES = 60 };

/* A key for people: cut, and '?' where it is not UTF-8. */
static void show_key(const char *key, size_t length, char *out)
{
  const unsigned char *at = (const unsigned char *)key, *end = at + length;
  char *limit = out + KEY_MAX_BYTES - 4;
  while(at < end && out < limit) {
    unsigned size = ba_utf8_sequence(at, end);
    if(size == 0) {
      *out++ = '?';
      at++;
      continue;
    }
    memcpy(out, at, size);
    out += size;
    at += size;
  }
  *out = '\0';
}

static void describe_key(lua_State *L, const struct encoder *encoder, unsigned level, char *out,
                         size_t size)
{
  const struct level *at = &encoder->levels[level];
  if(at->kind != OBJECT && at->kind != OBJECT_SORTED) {
    snprintf(out, size, "[%lld]", (long long)at->count);
    return;
  }
  size_t length;
  char shown[KEY_MAX_BYTES + 1];
  const char *key = at->kind == OBJECT ? lua_tolstring(L, at->table + 1, &length)
                                       : ba_json_member_key(L, at->table, encoder->keys,
                                                            &at->members, (int)at->count, &length);
  show_key(key, length, shown);
  const char *format = !is_name(key, length) ? "[\"%s\"]" : level > 1 ? ".%s" : "%s";
  snprintf(out, size, format, shown);
}

/* Fills *err with what is wrong with the value that `levels` keys lead to:
 * "messages[2].content: …". A deep path is cut at its end. */
static bool fail(lua_State *L, struct encoder *encoder, unsigned levels, const char *code,
                 const char *what)
{
  char path[PATH_MAX_BYTES + 80] = "";
  for(unsigned level = 1; level <= levels; level++) {
    size_t length = strlen(path);
    if(length >= PATH_MAX_BYTES) {
      memcpy(path + length, "…", sizeof("…"));
      break;
    }
    describe_key(L, encoder, level, path + length, sizeof(path) - length);
  }
  return ba_error_set(encoder->err, BA_INVALID, code, "cannot encode %s: %s",
                      *path ? path : "the value", what);
}

/* The buffer's and the string writer's failures. */
static bool fail_inner(lua_State *L, struct encoder *encoder)
{
  if(encoder->err->kind != BA_INVALID)
    return false;
  struct ba_error inner = *encoder->err;
  return fail(L, encoder, encoder->depth, inner.code, inner.message);
}

/* ---- writing ----------------------------------------------------------- */

static inline bool put(struct encoder *encoder, const char *bytes, size_t length)
{
  struct ba_buffer *out = encoder->out;
  if(length > out->capacity - out->length && !ba_buffer_reserve(out, length, encoder->err))
    return false;
  memcpy(out->bytes + out->length, bytes, length);
  out->length += length;
  return true;
}

static bool put_string(lua_State *L, struct encoder *encoder)
{
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  return ba_json_append_string(encoder->out, text, length, encoder->err) || fail_inner(L, encoder);
}

static bool put_key(lua_State *L, struct encoder *encoder, const char *text, size_t length)
{
  if(ba_json_append_string(encoder->out, text, length, encoder->err))
    return put(encoder, ":", 1);
  if(encoder->err->kind != BA_INVALID)
    return false;
  return fail(L, encoder, encoder->depth, "utf8", "a key that is not valid UTF-8");
}

static bool put_number(lua_State *L, struct encoder *encoder)
{
  char text[BA_JSON_NUMBER_MAX];
  int64_t integer;
  if(ba_to_integer(L, -1, &integer) && integer != 0) /* zero may be minus zero */
    return put(encoder, text, ba_json_format_integer(text, integer));
  double number = lua_tonumber(L, -1);
  if(!isfinite(number))
    return fail(L, encoder, encoder->depth, "number",
                isnan(number) ? "nan has no form in JSON" : "infinity has no form in JSON");
  return put(encoder, text, ba_json_format_double(text, number));
}

static bool is_marked_empty(lua_State *L)
{
  if(!lua_getmetatable(L, -1))
    return false;
  bool marked = ba_json_is_cjson(L, -1, "empty_array_mt");
  lua_pop(L, 1);
  return marked;
}

/* A table with a metatable, on the top: what it is, or null in its place.   [-0, +0, m] */
static enum ba_json_look look_at(lua_State *L, struct encoder *encoder)
{
  char why[BA_ERROR_MESSAGE_MAX];
  if(!lua_checkstack(L, 20)) {
    ba_error_nomem(encoder->err);
    return BA_JSON_REFUSED;
  }
  enum ba_json_look look = ba_json_look(L, why, sizeof(why));
  if(look == BA_JSON_REFUSED)
    fail(L, encoder, encoder->depth, "type", why);
  return look;
}

/* A table on the top that is written as it was decoded; pops it. */
static bool put_text(lua_State *L, struct encoder *encoder)
{
  size_t length;
  ba_json_push_text(L);
  const char *text = lua_tolstring(L, -1, &length);
  bool ok = text && put(encoder, text, length);
  lua_pop(L, 2);
  return ok;
}

static bool open_table(lua_State *L, struct encoder *encoder)
{
  if(encoder->depth == encoder->max_depth) {
    char what[80];
    snprintf(what, sizeof(what), "more than %u levels deep (does a table contain itself?)",
             encoder->max_depth);
    return fail(L, encoder, encoder->depth, "depth", what);
  }
  if(!lua_checkstack(L, 10))
    return ba_error_nomem(encoder->err);
  enum ba_json_look look = BA_JSON_TABLE;
  if(lua_getmetatable(L, -1)) {
    lua_pop(L, 1);
    look = look_at(L, encoder);
  }
  if(look == BA_JSON_REFUSED)
    return false;
  if(look == BA_JSON_NOTHING) {
    lua_pop(L, 1);
    return put(encoder, "null", 4);
  }
  if(look == BA_JSON_AS_TEXT)
    return put_text(L, encoder);
  struct level *level = &encoder->levels[++encoder->depth];
  level->kind = UNDECIDED;
  level->marked = look == BA_JSON_MARKED;
  level->ordered = look == BA_JSON_ORDERED;
  level->count = 0;
  level->table = lua_gettop(L);
  lua_pushnil(L);
  return true;
}

/* What Lua has no literal for. */
static bool put_foreign(lua_State *L, struct encoder *encoder)
{
  char text[BA_JSON_NUMBER_MAX], what[64];
  if(lua_type(L, -1) == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == NULL)
    return put(encoder, "null", 4);
  size_t length = ba_json_foreign_value(L, lua_gettop(L), text, sizeof(text));
  if(length)
    return put(encoder, text, length);
  snprintf(what, sizeof(what), "a %s has no form in JSON", luaL_typename(L, -1));
  return fail(L, encoder, encoder->depth, "type", what);
}

/* Writes the value on the top and pops it; a table stays there, opened. */
static bool put_value(lua_State *L, struct encoder *encoder)
{
  bool ok;
  switch(lua_type(L, -1)) {
  case LUA_TTABLE:
    return open_table(L, encoder);
  case LUA_TSTRING:
    ok = put_string(L, encoder);
    break;
  case LUA_TNUMBER:
    ok = put_number(L, encoder);
    break;
  case LUA_TBOOLEAN:
    ok = lua_toboolean(L, -1) ? put(encoder, "true", 4) : put(encoder, "false", 5);
    break;
  default:
    ok = put_foreign(L, encoder);
  }
  lua_pop(L, 1);
  return ok;
}

/* ---- tables ------------------------------------------------------------ */

/* Is there a [0] in the table on the top? */
static bool has_zero(lua_State *L)
{
  lua_rawgeti(L, -1, 0);
  bool has = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return has;
}

/* Says why the innermost table is no array, though its keys begin like one:
 * [1] is there or a number is among its keys. Its key is on the top. */
static bool fail_keys(lua_State *L, struct encoder *encoder, bool named, int64_t missing)
{
  char what[120];
  if(named)
    snprintf(what, sizeof(what), "a table with both names and numbers as keys");
  else if(missing)
    snprintf(what, sizeof(what),
             "an array with holes (no [%lld]); an object's keys must be strings",
             (long long)missing);
  else if(has_zero(L))
    snprintf(what, sizeof(what), "a [0], which no JSON array has (lunajson's mark of a length?)");
  else
    snprintf(what, sizeof(what), "a key that is neither a string nor an array's index");
  return fail(L, encoder, encoder->depth - 1, "keys", what);
}

/* Careful: counts the innermost table, whose first key and value are on the
 * top, and pops them. True if its keys are 1 to *length. */
static bool survey(lua_State *L, struct encoder *encoder, int64_t *length)
{
  int64_t count = 0, largest = 0, key;
  bool named = false, odd = false;
  do {
    lua_pop(L, 1);
    count++;
    if(lua_type(L, -1) == LUA_TSTRING)
      named = true;
    else if(!ba_to_integer(L, -1, &key) || key < 1)
      odd = true;
    else if(key > largest)
      largest = key;
  } while(lua_next(L, -2));
  *length = count;
  if(!named && !odd && largest == count)
    return true;
  int64_t missing = 1;
  for(; !named && !odd; missing++) {
    lua_rawgeti(L, -1, (int)missing);
    bool hole = lua_isnil(L, -1);
    lua_pop(L, 1);
    if(hole)
      break;
  }
  return fail_keys(L, encoder, named, odd ? 0 : missing);
}

static enum step next_indexed(lua_State *L, struct level *level)
{
  if(level->count == level->length) {
    lua_pop(L, 1);
    return STEP_END;
  }
  lua_rawgeti(L, -2, (int)level->count + 1);
  return STEP_VALUE;
}

static enum step next_sorted(lua_State *L, struct encoder *encoder, struct level *level)
{
  if(level->count == level->members.count) {
    encoder->keys->length = level->members.begin;
    lua_settop(L, level->table);
    return STEP_END;
  }
  ba_json_push_member(L, level->table, encoder->keys, &level->members, (int)level->count + 1);
  return STEP_VALUE;
}

static enum step begin_object(lua_State *L, struct encoder *encoder, struct level *level)
{
  level->kind = OBJECT;
  if(level->marked) {
    fail(L, encoder, encoder->depth - 1, "keys", "a name as key in a table marked as an array");
    return STEP_FAILED;
  }
  if(!encoder->unsorted || level->ordered) {
    lua_pop(L, 2);
    encoder->err->kind = BA_OK;
    if(!ba_json_sort(L, encoder->keys, level->ordered, &level->members, encoder->err)) {
      if(encoder->err->kind == BA_OK)
        fail_keys(L, encoder, true, 0);
      return STEP_FAILED;
    }
    level->kind = OBJECT_SORTED;
    next_sorted(L, encoder, level);
  }
  return put(encoder, "{", 1) ? STEP_VALUE : STEP_FAILED;
}

/* The first key has been seen: it and its value are on the top. */
static enum step decide(lua_State *L, struct encoder *encoder, struct level *level)
{
  if(lua_type(L, -2) == LUA_TSTRING)
    return begin_object(L, encoder, level);
  level->kind = ARRAY;
  if(encoder->careful) {
    if(!survey(L, encoder, &level->length))
      return STEP_FAILED;
    level->kind = ARRAY_BY_INDEX;
    lua_pushnil(L);
    lua_rawgeti(L, -2, 1);
  }
  return put(encoder, "[", 1) ? STEP_VALUE : STEP_FAILED;
}

/* Pushes the next value of the innermost table, its key in the slot below. At
 * the end only the table is left. */
static enum step next_value(lua_State *L, struct encoder *encoder, struct level *level)
{
  if(level->kind == ARRAY_BY_INDEX)
    return next_indexed(L, level);
  if(level->kind == OBJECT_SORTED)
    return next_sorted(L, encoder, level);
  if(!lua_next(L, -2))
    return STEP_END;
  return level->kind == UNDECIDED ? decide(L, encoder, level) : STEP_VALUE;
}

/* The same, and writes what stands before the value. */
static enum step next_member(lua_State *L, struct encoder *encoder)
{
  struct level *level = &encoder->levels[encoder->depth];
  size_t length;
  enum step step = next_value(L, encoder, level);
  if(step != STEP_VALUE)
    return step;
  if(level->count++ && !put(encoder, ",", 1))
    return STEP_FAILED;
  if(level->kind == OBJECT) {
    if(lua_type(L, -2) != LUA_TSTRING) {
      fail_keys(L, encoder, true, 0);
      return STEP_FAILED;
    }
    const char *key = lua_tolstring(L, -2, &length);
    return put_key(L, encoder, key, length) ? STEP_VALUE : STEP_FAILED;
  }
  if(level->kind == OBJECT_SORTED) {
    const char *key = ba_json_member_key(L, level->table, encoder->keys, &level->members,
                                         (int)level->count, &length);
    return put_key(L, encoder, key, length) ? STEP_VALUE : STEP_FAILED;
  }
  int64_t key;
  if(level->kind == ARRAY && (!ba_to_integer(L, -2, &key) || key != level->count)) {
    encoder->out_of_order = true;
    return STEP_FAILED;
  }
  return STEP_VALUE;
}

static bool close_table(lua_State *L, struct encoder *encoder)
{
  struct level *level = &encoder->levels[encoder->depth--];
  const char *text = level->kind == OBJECT || level->kind == OBJECT_SORTED ? "}" : "]";
  if(level->kind == UNDECIDED)
    text = level->marked || is_marked_empty(L) ? "[]" : "{}";
  lua_pop(L, 1);
  return put(encoder, text, strlen(text));
}

static bool walk(lua_State *L, struct encoder *encoder, int index)
{
  encoder->depth = 0;
  encoder->out_of_order = false;
  encoder->keys->length = 0;
  lua_pushvalue(L, index);
  if(!put_value(L, encoder))
    return false;
  while(encoder->depth) {
    enum step step = next_member(L, encoder);
    if(step == STEP_FAILED)
      return false;
    if(!(step == STEP_END ? close_table(L, encoder) : put_value(L, encoder)))
      return false;
  }
  return true;
}

bool ba_json_encode(lua_State *L, int index, struct ba_json_codec *codec,
                    const struct ba_json_options *options, struct ba_error *err)
{
  luaL_checkstack(L, 10, "too many values");
  struct encoder encoder;
  struct ba_buffer *out = encoder.out = &codec->out;
  encoder.err = err;
  encoder.base = lua_gettop(L);
  encoder.careful = false;
  encoder.keys = &codec->keys;
  encoder.unsorted = options && options->unsorted;
  encoder.max_depth = options && options->max_depth ? options->max_depth : BA_JSON_DEFAULT_DEPTH;
  size_t start = out->length;
  index = ba_absolute(L, index);
  err->kind = BA_OK;
  bool ok = walk(L, &encoder, index);
  if(!ok && encoder.out_of_order) {
    out->length = start;
    lua_settop(L, encoder.base);
    encoder.careful = true;
    ok = walk(L, &encoder, index);
  }
  if(!ok)
    out->length = start;
  if(out->bytes)
    out->bytes[out->length] = '\0';
  lua_settop(L, encoder.base);
  return ok;
}
