/* Where Lua 5.1, LuaJIT, 5.2, 5.3, 5.4 and 5.5 differ. No other file of the project
 * tests LUA_VERSION_NUM. LuaJIT declares some functions of 5.2 and PUC 5.1
 * does not, so what is needed of them has names of its own here.
 *
 * The rest of the binding keeps to the functions of 5.1, never yields from C,
 * and keeps no user values or environments. */
#ifndef BA_COMPAT_H
#define BA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#include <stdbool.h>
#include <stdint.h>

#if LUA_VERSION_NUM < 502
#define lua_rawlen(L, index) lua_objlen(L, index)
#endif

/* Raises when the Lua that loads the module is another than it was built for:
 * their structures differ, and the first call could crash. [-0, +0, v] */
void ba_check_version(lua_State *L);

/* An index that stays right when the stack grows. [-0, +0, -] */
int ba_absolute(lua_State *L, int index);

/* The userdata at `index` if it is of that type, else NULL. [-0, +0, m] */
void *ba_test_userdata(lua_State *L, int index, const char *type);

/* luaL_checkudata() for functions of ba_new_type() that are called often: what
 * lies at 1 is compared with the type's metatable, which they have at hand.
 * [-0, +0, v] */
void *ba_check_object(lua_State *L, int index, const char *type);

/* A whole number: an integer where Lua has them, else a float. [-0, +1, -] */
void ba_push_integer(lua_State *L, int64_t value);

/* Is the number at `index` whole? Gives it. Strings are not converted.
 * [-0, +0, -] */
bool ba_to_integer(lua_State *L, int index, int64_t *value);

/* Is every digit of a whole number of that size kept? [-0, +0, -] */
bool ba_holds_integer(bool negative, uint64_t size);

/* Pushes the table of the globals. [-0, +1, -] */
void ba_push_globals(lua_State *L);

/* Adds the functions to the table on the top. [-0, +0, m] */
void ba_set_functions(lua_State *L, const luaL_Reg *functions);

/* Makes the metatable of a userdata type: its methods in a table of their own
 * (so that obj.__gc is not reached through the object), its metamethods, and
 * __metatable, which hides it. Where Lua knows __close, __gc serves. A module
 * that is opened twice in a state keeps the first. [-0, +0, m] */
void ba_new_type(lua_State *L, const char *type, const luaL_Reg *methods,
                 const luaL_Reg *metamethods);

/* Can the coroutine that runs yield here? ba_learn_to_yield() must have been
 * called once (compat_yield.c says why). [-0, +0, -], [-0, +0, m] */
bool ba_can_yield(lua_State *L);
void ba_learn_to_yield(lua_State *L);

/* A new userdata of that type, zeroed, with its metatable set: from here on
 * its __gc frees what is put into it. [-0, +1, m] */
void *ba_new_userdata(lua_State *L, size_t size, const char *type);

#endif
