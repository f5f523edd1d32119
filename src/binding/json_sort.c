#include "json_lua.h"

#include "compat.h"

#include <stdlib.h>
#include <string.h>

struct key {
  const char *text;
  size_t length;
  int index; /* in the list of keys as lua_next() gave them */
};

static int compare(const void *left, const void *right)
{
  const struct key *a = left, *b = right;
  size_t shorter = a->length < b->length ? a->length : b->length;
  int order = memcmp(a->text, b->text, shorter);
  return order ? order : (a->length > b->length) - (a->length < b->length);
}

/* Pushes an array of the keys of the table on the top, or nothing.
 *   [-0, +0|1, m] */
static bool push_keys(lua_State *L, int *count)
{
  *count = 0;
  lua_newtable(L);
  lua_pushnil(L);
  while(lua_next(L, -3)) {
    lua_pop(L, 1);
    if(lua_type(L, -1) != LUA_TSTRING) {
      lua_pop(L, 2);
      return false;
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, ++*count);
  }
  return true;
}

/* The keys are held by the first list while a second one in order is made:
 * whatever a finaliser does to the table meanwhile, no pointer dangles. */
bool ba_json_push_sorted_keys(lua_State *L, int *count)
{
  struct key few[32], *keys = few;
  if(!push_keys(L, count))
    return false;
  int slots = *count;
  lua_createtable(L, slots, 0);
  if(slots > 32)
    keys = lua_newuserdata(L, (size_t)slots * sizeof(*keys));
  else
    lua_pushnil(L);
  for(int i = 0; i < slots; i++) {
    lua_rawgeti(L, -3, i + 1);
    keys[i].text = lua_tolstring(L, -1, &keys[i].length);
    keys[i].index = i + 1;
    lua_pop(L, 1);
  }
  qsort(keys, (size_t)slots, sizeof(*keys), compare);
  for(int i = 0; i < slots; i++) {
    lua_rawgeti(L, -3, keys[i].index);
    lua_rawseti(L, -3, i + 1);
  }
  lua_pop(L, 1);
  lua_remove(L, -2);
  return true;
}
