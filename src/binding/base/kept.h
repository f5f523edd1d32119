/* Lua strings that are kept because the same texts come again and again, so
 * that these need not be hashed and made each time. A list on the Lua side
 * keeps them alive; C knows their bytes, which Lua does not move. */
#ifndef BA_KEPT_H
#define BA_KEPT_H

#include <lua.h>

#include <stddef.h>

/* Pushes a list of that many places, all of them in its array part. [-0, +1, m] */
static inline void ba_push_kept_list(lua_State *L, int places)
{
  lua_createtable(L, places, 0);
  for(int i = 1; i <= places; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, i);
  }
}

/* Keeps the string on the top at a place of the list at index `list`, and tells
 * where its bytes are. [-0, +0, -] */
static inline void ba_keep(lua_State *L, int list, int place, const char **bytes, size_t *length)
{
  lua_pushvalue(L, -1);
  lua_rawseti(L, list, place);
  *bytes = lua_tolstring(L, -1, length);
}

/* Of a word that is not empty: names differ in these. */
static inline unsigned ba_word_hash(const char *text, size_t length)
{
  return (unsigned char)text[0] + 5u * (unsigned char)text[length - 1] +
         17u * (unsigned char)text[length / 2] + 31u * (unsigned)length;
}

#endif
