/* Tables whose fields are a fixed list: an option that is not on the list, or
 * of another type, raises; nothing is ignored.
 *
 *   enum { NAME, SIZE, FIELDS };
 *   static const struct ba_field fields[] = {{"name", BA_TEXT}, {"size", BA_COUNT}};
 *   int at = ba_fields(L, 1, fields, FIELDS, "thing");
 *   const char *name = ba_field_text(L, at + NAME);
 *
 * The list is sorted by name. The values stay on the stack while they are in
 * use, so the strings that were read from them live as long. */
#ifndef BA_BINDING_OPTIONS_H
#define BA_BINDING_OPTIONS_H

#include "binding/base/compat.h"

#include <stddef.h>

enum ba_field_type {
  BA_BOOLEAN,
  BA_BYTES,   /* a string */
  BA_COUNT,   /* a whole number, not negative */
  BA_SECONDS, /* a number, not NaN */
  BA_TABLE,
  BA_TEXT, /* a string without NUL bytes */
  BA_USERDATA
};

struct ba_field {
  const char *name;
  enum ba_field_type type;
};

/* Spreads the table at `index` over `count` new stack slots, nil where a field
 * is absent; gives the first slot's index. `what` names the table in messages.
 * [-0, +count, e] */
int ba_fields(lua_State *L, int index, const struct ba_field *fields, int count, const char *what);

/* The value in a slot, or what stands for an absent one. [-0, +0, -] */
const char *ba_field_text(lua_State *L, int slot);
const char *ba_field_bytes(lua_State *L, int slot, size_t *length);
double ba_field_seconds(lua_State *L, int slot, double absent);
size_t ba_field_count(lua_State *L, int slot, size_t absent);

/* Raises "WHAT: must be one of …"; gives the position of the string in the
 * NULL-terminated list. [-0, +0, e] */
int ba_choice(lua_State *L, int slot, const char *const *choices, int absent, const char *what);

/* Raises that `name` is not known in `what`, and names the nearest. Does not
 * return. [-0, +0, e] */
int ba_unknown(lua_State *L, const char *what, const char *name, const struct ba_field *fields,
               int count);

/* The value on the top as an option's whole number within bounds; another is
 * refused in the form that the Lua side has too. [-0, +0, v] */
int64_t ba_option_integer(lua_State *L, const char *name, int64_t low, int64_t high);

#endif
