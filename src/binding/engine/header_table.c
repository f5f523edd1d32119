/* Headers as a Lua table. The answers of one service have the same names, and
 * most values too, again and again: those that came last are kept as Lua
 * strings, so that they need not be hashed, nor made and collected, for each
 * answer. */
#include "binding/engine/handle.h"

#include "binding/base/kept.h"

#include <string.h>

enum { SLOTS = 64, KEPT_BYTES = 128 };

/* The text of a Lua string that the list keeps alive. */
struct text {
  const char *bytes; /* NULL: none */
  size_t length;
};

struct slot {
  struct text name, value;
  uint64_t table; /* the number of the last table that has this name */
};

struct known {
  int list; /* reference to a table: at 2i+1 and 2i+2 name and value of slot i */
  uint64_t tables;
  struct slot slots[SLOTS];
};

static const char known_key;

/* Plain memory without a finaliser: whatever a closing state still runs may
 * use it. [-0, +0, m] */
static struct known *get_known(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&known_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  struct known *known = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if(known)
    return known;
  ba_push_kept_list(L, 2 * SLOTS);
  lua_pushlightuserdata(L, (void *)&known_key);
  known = lua_newuserdata(L, sizeof(*known));
  memset(known, 0, sizeof(*known));
  lua_pushvalue(L, -3);
  known->list = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_rawset(L, LUA_REGISTRYINDEX);
  lua_pop(L, 1);
  return known;
}

static int slot_of(const char *name, size_t length)
{
  return length ? (int)(ba_word_hash(name, length) % SLOTS) : 0;
}

/* Pushes a text: the one that place `at` of the list holds, if it is the same.
 * [-0, +1, m] */
static void push_text(lua_State *L, int list, struct text *kept, int at, const char *bytes,
                      size_t length)
{
  if(kept->bytes && kept->length == length && memcmp(kept->bytes, bytes, length) == 0) {
    lua_rawgeti(L, list, at);
    return;
  }
  lua_pushlstring(L, bytes, length);
  if(length <= KEPT_BYTES)
    ba_keep(L, list, at, &kept->bytes, &kept->length);
}

/* Name and value are on the top, and the table at `table` may have the name:
 * then the value joins the others of that name in a list, in the table at
 * `lists`, which is made when it is first needed. [-2, +0, m] */
static void add_value(lua_State *L, int table, int lists)
{
  lua_pushvalue(L, -2);
  lua_rawget(L, table);
  if(lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_rawset(L, table);
    return;
  }
  if(lua_isnil(L, lists)) {
    lua_newtable(L);
    lua_replace(L, lists);
  }
  lua_pushvalue(L, -3);
  lua_rawget(L, lists); /* name, value, first, list */
  if(lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -4);
    lua_pushvalue(L, -2);
    lua_rawset(L, lists);
  }
  lua_pushvalue(L, -3);
  lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
  lua_pop(L, 4);
}

/* Joins what is in the lists by ", ", as RFC 9110 section 5.2 allows: once for
 * each name, so that it takes no more time than there are bytes. [-0, +0, m] */
static void join_values(lua_State *L, int table, int lists)
{
  lua_pushnil(L);
  while(lua_next(L, lists)) {
    luaL_Buffer text;
    int list = lua_gettop(L), count = (int)lua_rawlen(L, list);
    luaL_buffinit(L, &text);
    for(int i = 1; i <= count; i++) {
      if(i > 1)
        luaL_addlstring(&text, ", ", 2);
      lua_rawgeti(L, list, i);
      luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    lua_pushvalue(L, list - 1);
    lua_insert(L, -2);
    lua_rawset(L, table);
    lua_settop(L, list - 1);
  }
}

/* Cookies cannot be joined, for a comma may stand within one (RFC 6265): they
 * are a list, also where it is one. The table is on the top.   [-0, +0, m] */
static void add_cookie(lua_State *L, const struct ba_header_view *header)
{
  lua_getfield(L, -1, header->name);
  if(lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, header->name);
  }
  lua_pushlstring(L, header->value, header->value_length);
  lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

void ba_push_headers(lua_State *L, const struct ba_header_view *headers, size_t count)
{
  luaL_checkstack(L, 20 + LUA_MINSTACK, "headers");
  struct known *known = get_known(L);
  uint64_t number = ++known->tables;
  lua_rawgeti(L, LUA_REGISTRYINDEX, known->list);
  int list = lua_gettop(L);
  lua_pushnil(L); /* lists */
  lua_createtable(L, 0, (int)count);
  int lists = list + 1, table = list + 2;
  for(size_t i = 0; i < count; i++) {
    const char *name = headers[i].name;
    size_t length = strlen(name);
    if(length == 10 && memcmp(name, "set-cookie", 10) == 0) {
      add_cookie(L, &headers[i]);
      continue;
    }
    int at = slot_of(name, length);
    struct slot *slot = &known->slots[at];
    /* or another that has the same slot; or a finaliser has made a table meanwhile */
    bool was_there = slot->table == number || known->tables != number;
    push_text(L, list, &slot->name, 2 * at + 1, name, length);
    push_text(L, list, &slot->value, 2 * at + 2, headers[i].value, headers[i].value_length);
    slot->table = number;
    if(was_there)
      add_value(L, table, lists);
    else
      lua_rawset(L, table);
  }
  if(!lua_isnil(L, lists))
    join_values(L, table, lists);
  lua_remove(L, lists);
  lua_remove(L, list);
}
