/* What the files of the binding share. The only folder that includes lua.h,
 * and it includes neither curl nor OpenSSL (tools/check-boundaries). */
#ifndef BA_BINDING_H
#define BA_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include <stddef.h>

struct ba_call;
struct ba_credential;
struct ba_error;
struct ba_mailbox;

/* Each file of the binding adds its names to the module table on the top;
 * ba_open_fs() to core.fs, which is on the top then. [-0, +0, m] each */
void ba_open_call(lua_State *L);
void ba_open_client(lua_State *L);
void ba_open_credential(lua_State *L);
void ba_open_disk(lua_State *L);
void ba_open_files(lua_State *L);
void ba_open_fs(lua_State *L);
void ba_open_json(lua_State *L);
void ba_open_ledger(lua_State *L);
void ba_open_lines(lua_State *L);
void ba_open_mailbox(lua_State *L);
void ba_open_oauth(lua_State *L);
void ba_open_process(lua_State *L);
void ba_open_records(lua_State *L);
void ba_open_timer(lua_State *L);
void ba_open_webhook(lua_State *L);
void ba_open_work(lua_State *L);
void ba_open_yield(lua_State *L);

/* Ends a function that failed: nil, message, { kind, code, message }. Memory
 * and misuse raise instead. [-0, +3, e] */
int ba_fail(lua_State *L, const struct ba_error *err);

/* In the place of the text on the top, one that a terminal can take (printable.h).
 * [-1, +1, m] */
void ba_replace_printable(lua_State *L);

/* The credential at `index`, or an argument error. Stays the userdata's. */
struct ba_credential *ba_check_credential(lua_State *L, int index);

/* Pushes the value of one JSON document and returns 1, or pushes nil, message,
 * err and returns 3. `options` is the stack index of a table as core.decode
 * takes it, or 0. The bytes must stay where they are meanwhile, although Lua
 * may collect: whoever owns them is on the stack or is C. [-0, +1|3, v] */
int ba_json_push_answer(lua_State *L, const char *bytes, size_t length, int index);

/* The started call, the open mailbox at `index`, or an argument error. */
struct ba_call *ba_check_call(lua_State *L, int index);
struct ba_mailbox *ba_check_mailbox(lua_State *L, int index);

#endif
