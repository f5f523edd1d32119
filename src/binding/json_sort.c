#include "json_lua.h"

#include "compat.h"

#include <stdlib.h>
#include <string.h>

struct key {
  const char *text;
  size_t length;
  int place; /* on the stack above the table, or in the list */
};

enum { FEW = 48 }; /* keys that may lie on the stack */

static int compare(const void *left, const void *right)
{
  const struct key *a = left, *b = right;
  size_t shorter = a->length < b->length ? a->length : b->length;
  int order = memcmp(a->text, b->text, shorter);
  return order ? order : (a->length > b->length) - (a->length < b->length);
}

/* Few keys, often in order already. */
static void sort_few(struct key *keys, int count)
{
  for(int i = 1; i < count; i++) {
    struct key key = keys[i];
    int at = i;
    for(; at > 0 && compare(&keys[at - 1], &key) > 0; at--)
      keys[at] = keys[at - 1];
    keys[at] = key;
  }
}

enum outcome { SORTED, NOT_NAMES, NO_MEMORY, TOO_MANY };

/* Nothing here makes Lua allocate, so nothing is collected meanwhile. */
static enum outcome sort_on_stack(lua_State *L, struct ba_buffer *keys,
                                  struct ba_json_sorted *sorted, struct ba_error *err)
{
  int table = lua_gettop(L);
  enum outcome outcome = SORTED;
  if(!ba_buffer_reserve(keys, FEW * sizeof(struct key), err))
    return NO_MEMORY;
  if(!lua_checkstack(L, FEW + 10))
    return TOO_MANY;
  struct key *list = (struct key *)(void *)(keys->bytes + sorted->begin);
  int count = 0;
  lua_pushnil(L);
  while(outcome == SORTED && lua_next(L, table)) {
    lua_pop(L, 1);
    if(lua_type(L, -1) != LUA_TSTRING) {
      outcome = NOT_NAMES;
    } else if(count == FEW) {
      outcome = TOO_MANY;
    } else {
      list[count].text = lua_tolstring(L, -1, &list[count].length);
      list[count].place = count + 1;
      count++;
      lua_pushvalue(L, -1);
    }
  }
  if(outcome != SORTED) {
    lua_settop(L, table);
    return outcome;
  }
  sort_few(list, count);
  keys->length += (size_t)count * sizeof(*list);
  sorted->count = count;
  return SORTED;
}

/* Pushes an array of the keys of the table on the top, or nothing. */
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
static bool sort_into_list(lua_State *L, int *count)
{
  if(!push_keys(L, count))
    return false;
  int slots = *count;
  lua_createtable(L, slots, 0);
  struct key *keys = lua_newuserdata(L, (size_t)slots * sizeof(*keys));
  for(int i = 0; i < slots; i++) {
    lua_rawgeti(L, -3, i + 1);
    keys[i].text = lua_tolstring(L, -1, &keys[i].length);
    keys[i].place = i + 1;
    lua_pop(L, 1);
  }
  qsort(keys, (size_t)slots, sizeof(*keys), compare);
  for(int i = 0; i < slots; i++) {
    lua_rawgeti(L, -3, keys[i].place);
    lua_rawseti(L, -3, i + 1);
  }
  lua_pop(L, 1);
  lua_remove(L, -2);
  return true;
}

bool ba_json_sort_keys(lua_State *L, struct ba_buffer *keys, struct ba_json_sorted *sorted,
                       struct ba_error *err)
{
  sorted->begin = keys->length;
  sorted->listed = false;
  enum outcome outcome = sort_on_stack(L, keys, sorted, err);
  if(outcome != TOO_MANY)
    return outcome == SORTED;
  sorted->listed = true;
  return sort_into_list(L, &sorted->count);
}

void ba_json_push_sorted(lua_State *L, int table, const struct ba_buffer *keys,
                         const struct ba_json_sorted *sorted, int number)
{
  if(sorted->listed) {
    lua_rawgeti(L, table + 1, number);
    return;
  }
  const struct key *list = (const struct key *)(const void *)(keys->bytes + sorted->begin);
  lua_pushvalue(L, table + list[number - 1].place);
}
