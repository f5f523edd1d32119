/* The members of an object in order: of their keys, or the order that a table
 * carries. The same table gives the same bytes every time, whatever order Lua's
 * hashing has: prompt caches and checksums depend on it. */
#include "binding/json/json_lua.h"

#include "binding/base/compat.h"

#include <stdlib.h>
#include <string.h>

struct key {
  uint64_t head; /* its first eight bytes, as a number that orders as they do */
  const char *text;
  uint32_t length;
  int place; /* of the value on the stack above the table, or of the key in the list */
};

enum { FEW = 48 }; /* members that may lie on the stack */

static uint64_t head_of(const char *text, size_t length)
{
  uint64_t head = 0;
  if(length >= sizeof(head)) {
    memcpy(&head, text, sizeof(head));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    head = __builtin_bswap64(head);
#endif
    return head;
  }
  for(size_t i = 0; i < length; i++)
    head |= (uint64_t)(unsigned char)text[i] << (56 - 8 * i);
  return head;
}

static int compare_rest(const struct key *a, const struct key *b)
{
  uint32_t shorter = a->length < b->length ? a->length : b->length;
  int order = memcmp(a->text, b->text, shorter);
  return order ? order : (a->length > b->length) - (a->length < b->length);
}

static inline int compare(const struct key *a, const struct key *b)
{
  if(a->head != b->head)
    return a->head < b->head ? -1 : 1;
  return compare_rest(a, b);
}

static int compare_for_qsort(const void *left, const void *right)
{
  return compare(left, right);
}

/* Puts the key into the keys that are in order already. */
static inline void insert(struct key *keys, int count, const struct key *key)
{
  int at = count;
  for(; at > 0 && compare(&keys[at - 1], key) > 0; at--)
    keys[at] = keys[at - 1];
  keys[at] = *key;
}

static bool read_key(lua_State *L, int index, struct key *key)
{
  if(lua_type(L, index) != LUA_TSTRING)
    return false;
  size_t length;
  key->text = lua_tolstring(L, index, &length);
  key->length = (uint32_t)length;
  key->head = head_of(key->text, length);
  return length <= UINT32_MAX;
}

enum outcome { SORTED, NOT_NAMES, NO_MEMORY, TOO_MANY };

/* Keys and values stay on the stack. Nothing here makes Lua allocate, but for
 * the stack itself. */
static enum outcome sort_on_stack(lua_State *L, struct ba_buffer *keys,
                                  struct ba_json_members *members, struct ba_error *err)
{
  int table = lua_gettop(L);
  if(!ba_buffer_reserve(keys, FEW * sizeof(struct key), err))
    return NO_MEMORY;
  if(!lua_checkstack(L, 2 * FEW + 10))
    return TOO_MANY;
  struct key *list = (struct key *)(void *)(keys->bytes + members->begin);
  enum outcome outcome = SORTED;
  int count = 0;
  lua_pushnil(L);
  while(lua_next(L, table)) {
    struct key key;
    outcome = count == FEW ? TOO_MANY : read_key(L, -2, &key) ? SORTED : NOT_NAMES;
    if(outcome != SORTED)
      break;
    key.place = 2 * count + 2;
    insert(list, count++, &key);
    lua_pushvalue(L, -2);
  }
  if(outcome != SORTED) {
    lua_settop(L, table);
    return outcome;
  }
  keys->length += (size_t)count * sizeof(*list);
  members->count = count;
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
    read_key(L, -1, &keys[i]);
    keys[i].place = i + 1;
    lua_pop(L, 1);
  }
  qsort(keys, (size_t)slots, sizeof(*keys), compare_for_qsort);
  for(int i = 0; i < slots; i++) {
    lua_rawgeti(L, -3, keys[i].place);
    lua_rawseti(L, -3, i + 1);
  }
  lua_pop(L, 1);
  lua_remove(L, -2);
  return true;
}

/* ---- the order that a table carries ----------------------------------------- */

/* Appends to the list at `list` the key on the top, if the table has it and the
 * set does not yet; pops it.   [-1, +0, m] */
static void take_ordered(lua_State *L, int table, int list, int set, int *count)
{
  lua_pushvalue(L, -1);
  lua_rawget(L, table);
  lua_pushvalue(L, -2);
  lua_rawget(L, set);
  bool wanted = !lua_isnil(L, -2) && lua_isnil(L, -1);
  lua_pop(L, 2);
  if(!wanted) {
    lua_pop(L, 1);
    return;
  }
  lua_pushvalue(L, -1);
  lua_pushboolean(L, 1);
  lua_rawset(L, set);
  lua_rawseti(L, list, ++*count);
}

static void take_list(lua_State *L, int from, int table, int list, int set, int *count)
{
  int length = (int)lua_rawlen(L, from);
  for(int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    if(lua_isnil(L, -1))
      lua_pop(L, 1);
    else
      take_ordered(L, table, list, set, count);
  }
}

/* First the keys in the order of its metatable, then the others, sorted. */
static bool order_into_list(lua_State *L, int *count)
{
  int table = lua_gettop(L), sorted = table + 1, order = table + 2;
  if(!sort_into_list(L, count) || !ba_json_push_order(L, table))
    return false;
  lua_createtable(L, *count, 0);
  lua_createtable(L, 0, *count);
  int list = table + 3, set = table + 4;
  *count = 0;
  take_list(L, order, table, list, set, count);
  take_list(L, sorted, table, list, set, count);
  lua_pushvalue(L, list);
  lua_replace(L, sorted);
  lua_settop(L, sorted);
  return true;
}

/* ---- for the encoder --------------------------------------------------------- */

bool ba_json_sort(lua_State *L, struct ba_buffer *keys, bool ordered,
                  struct ba_json_members *members, struct ba_error *err)
{
  members->begin = keys->length;
  members->listed = false;
  enum outcome outcome = ordered ? TOO_MANY : sort_on_stack(L, keys, members, err);
  if(outcome != TOO_MANY)
    return outcome == SORTED;
  members->listed = true;
  return ordered ? order_into_list(L, &members->count) : sort_into_list(L, &members->count);
}

const char *ba_json_member_key(lua_State *L, int table, const struct ba_buffer *keys,
                               const struct ba_json_members *members, int number, size_t *length)
{
  if(members->listed) {
    lua_rawgeti(L, table + 1, number);
    const char *text = lua_tolstring(L, -1, length);
    lua_pop(L, 1); /* the list holds it */
    return text;
  }
  const struct key *list = (const struct key *)(const void *)(keys->bytes + members->begin);
  *length = list[number - 1].length;
  return list[number - 1].text;
}

void ba_json_push_member(lua_State *L, int table, const struct ba_buffer *keys,
                         const struct ba_json_members *members, int number)
{
  if(members->listed) {
    lua_rawgeti(L, table + 1, number);
    lua_rawget(L, table);
    return;
  }
  const struct key *list = (const struct key *)(const void *)(keys->bytes + members->begin);
  lua_pushvalue(L, table + list[number - 1].place);
}
