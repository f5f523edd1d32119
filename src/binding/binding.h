/* What the files of the binding share. The only folder that includes lua.h,
 * and it includes neither curl nor OpenSSL (tools/check-boundaries). */
#ifndef BA_BINDING_H
#define BA_BINDING_H

#include <lauxlib.h>
#include <lua.h>

struct ba_error;
struct ba_credential;

/* Each file of the binding adds its names to the module table on the top. */
void ba_open_credential(lua_State *L); /* [-0, +0, m] */
void ba_open_json(lua_State *L);       /* [-0, +0, m] */
void ba_open_ledger(lua_State *L);     /* [-0, +0, m] */

/* Ends a function that failed: nil, message, { kind, code, message }. Memory
 * and misuse raise instead. [-0, +3, e] */
int ba_fail(lua_State *L, const struct ba_error *err);

/* The credential at `index`, or an argument error. Stays the userdata's. */
struct ba_credential *ba_check_credential(lua_State *L, int index);

#endif
