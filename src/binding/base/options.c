/* See options.h. */
#include "binding/base/options.h"

#include <string.h>

#define WORD_MAX 40 /* longer words are not compared */

/* ---- the nearest word ---------------------------------------------------- */

/* How many letters must change to make one word of the other. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
  size_t row[WORD_MAX + 1];
  for(size_t j = 0; j <= b_length; j++)
    row[j] = j;
  for(size_t i = 1; i <= a_length; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for(size_t j = 1; j <= b_length; j++) {
      size_t best = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      if(row[j] + 1 < best)
        best = row[j] + 1;
      if(row[j - 1] + 1 < best)
        best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[b_length];
}

static const char *nearest(const char *name, const struct ba_field *fields, int count)
{
  size_t length = strlen(name);
  const char *found = NULL;
  size_t least = length / 2 > 2 ? length / 2 : 2;
  for(int i = 0; i < count && length <= WORD_MAX; i++) {
    size_t changes = distance(name, length, fields[i].name, strlen(fields[i].name));
    if(changes <= least) {
      found = fields[i].name;
      least = changes ? changes - 1 : 0;
    }
  }
  return found;
}

int ba_unknown(lua_State *L, const char *what, const char *name, const struct ba_field *fields,
               int count)
{
  const char *near = nearest(name, fields, count);
  if(near)
    return luaL_error(L, "%s: unknown field '%s'; did you mean '%s'?", what, name, near);
  return luaL_error(L, "%s: unknown field '%s'", what, name);
}

/* ---- reading ------------------------------------------------------------- */

static int find(const char *name, const struct ba_field *fields, int count)
{
  int low = 0, high = count - 1;
  while(low <= high) {
    int middle = (low + high) / 2;
    int order = strcmp(name, fields[middle].name);
    if(order == 0)
      return middle;
    if(order < 0)
      high = middle - 1;
    else
      low = middle + 1;
  }
  return -1;
}

static bool is_text(lua_State *L, int index)
{
  size_t length = 0;
  const char *text = lua_tolstring(L, index, &length);
  return strlen(text) == length;
}

/* What is wrong with the value on the top for a field of this type; NULL if
 * nothing is. */
static const char *mismatch(lua_State *L, enum ba_field_type type)
{
  int64_t whole = 0;
  switch(type) {
  case BA_BOOLEAN:
    return lua_isboolean(L, -1) ? NULL : "a boolean";
  case BA_BYTES:
    return lua_type(L, -1) == LUA_TSTRING ? NULL : "a string";
  case BA_TEXT:
    return lua_type(L, -1) == LUA_TSTRING && is_text(L, -1) ? NULL : "a string without NUL bytes";
  case BA_COUNT:
    return ba_to_integer(L, -1, &whole) && whole >= 0 ? NULL : "a whole number, not negative";
  case BA_SECONDS:
    return lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) == lua_tonumber(L, -1)
               ? NULL
               : "a number of seconds";
  case BA_TABLE:
    return lua_istable(L, -1) ? NULL : "a table";
  case BA_USERDATA:
    return lua_isuserdata(L, -1) ? NULL : "a userdata";
  }
  return "of another type";
}

int ba_fields(lua_State *L, int index, const struct ba_field *fields, int count, const char *what)
{
  index = ba_absolute(L, index);
  if(!lua_istable(L, index))
    luaL_error(L, "%s must be a table, not a %s", what, luaL_typename(L, index));
  luaL_checkstack(L, count + 8, what);
  int first = lua_gettop(L) + 1;
  lua_settop(L, first + count - 1);
  lua_pushnil(L);
  while(lua_next(L, index)) {
    if(lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "%s: a field's name must be a string, not a %s", what, luaL_typename(L, -2));
    const char *name = lua_tostring(L, -2);
    int field = find(name, fields, count);
    if(field < 0)
      ba_unknown(L, what, name, fields, count);
    const char *wanted = mismatch(L, fields[field].type);
    if(wanted)
      luaL_error(L, "%s: %s must be %s", what, name, wanted);
    lua_replace(L, first + field);
  }
  return first;
}

const char *ba_field_text(lua_State *L, int slot)
{
  return lua_isnil(L, slot) ? NULL : lua_tostring(L, slot);
}

const char *ba_field_bytes(lua_State *L, int slot, size_t *length)
{
  *length = 0;
  return lua_isnil(L, slot) ? NULL : lua_tolstring(L, slot, length);
}

double ba_field_seconds(lua_State *L, int slot, double absent)
{
  return lua_isnil(L, slot) ? absent : lua_tonumber(L, slot);
}

size_t ba_field_count(lua_State *L, int slot, size_t absent)
{
  int64_t value = 0;
  return ba_to_integer(L, slot, &value) ? (size_t)value : absent;
}

int ba_choice(lua_State *L, int slot, const char *const *choices, int absent, const char *what)
{
  if(lua_isnil(L, slot))
    return absent;
  const char *text = lua_tostring(L, slot);
  for(int i = 0; choices[i]; i++) {
    if(strcmp(choices[i], text) == 0)
      return i;
  }
  return luaL_error(L, "%s: '%s' is not known", what, text);
}

int64_t ba_option_integer(lua_State *L, const char *name, int64_t low, int64_t high)
{
  int64_t value = 0;
  if(lua_type(L, -1) != LUA_TNUMBER)
    return luaL_error(L, "option %s must be a number, got a %s", name, luaL_typename(L, -1));
  if(ba_to_integer(L, -1, &value) && value >= low && value <= high)
    return value;
  lua_pushvalue(L, -1);
  ba_push_integer(L, low);
  ba_push_integer(L, high);
  return luaL_error(L, "option %s must be between %s and %s, got %s", name, lua_tostring(L, -2),
                    lua_tostring(L, -1), lua_tostring(L, -3));
}
