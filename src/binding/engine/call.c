/* A call's methods. The call is started by client:start() (client.c). */
#include "binding/engine/handle.h"

#include "batchapi/clock.h"

#include <stdint.h>
#include <string.h>

#define CALL_TYPE "batchapi.call"

struct ba_call_handle *ba_new_call(lua_State *L, int index)
{
  if(lua_isnil(L, index))
    return ba_new_userdata(L, sizeof(struct ba_call_handle), CALL_TYPE);
  struct ba_call_handle *spare = ba_check_object(L, index, CALL_TYPE);
  luaL_argcheck(L, !spare->call && !spare->request, index, "a call that was not released");
  lua_pushvalue(L, index);
  return spare;
}

struct ba_call_handle *ba_check_call_handle(lua_State *L, int index)
{
  struct ba_call_handle *handle = ba_check_object(L, index, CALL_TYPE);
  luaL_argcheck(L, handle->call != NULL, index, "a call that was released");
  return handle;
}

struct ba_call *ba_check_call(lua_State *L, int index)
{
  return ba_check_call_handle(L, index)->call;
}

/* The same, of one that has ended: until then the I/O thread writes what is
 * asked for here. */
static struct ba_call *check_ended(lua_State *L, int index)
{
  struct ba_call_handle *handle = ba_check_call_handle(L, index);
  handle->ended = handle->ended || ba_call_done(handle->call);
  luaL_argcheck(L, handle->ended, index, "the call has not ended");
  return handle->call;
}

/* call:id() -> integer   Unique in the process. [-0, +1, e] */
static int call_id(lua_State *L)
{
  ba_push_integer(L, (int64_t)ba_call_id(ba_check_call(L, 1)));
  return 1;
}

/* call:news() -> done, readable, writable, restart, attempted, ask_token, renewed
 * restart, ask_token and renewed are told once. Where nothing follows that is
 * true, nothing follows: most calls have one piece of news. [-0, +1|7, e] */
static int call_news(lua_State *L)
{
  static const unsigned order[] = {BA_CALL_DONE,    BA_CALL_READABLE,  BA_CALL_WRITABLE,
                                   BA_CALL_RESTART, BA_CALL_ATTEMPTED, BA_CALL_ASK_TOKEN,
                                   BA_CALL_RENEWED};
  struct ba_call_handle *handle = ba_check_call_handle(L, 1);
  unsigned news = ba_call_news(handle->call);
  handle->ended = (news & BA_CALL_DONE) != 0;
  int count = news & ~(unsigned)BA_CALL_DONE ? 7 : 1;
  for(int i = 0; i < count; i++)
    lua_pushboolean(L, (news & order[i]) != 0);
  return count;
}

/* call:outcome() -> table   Only when it is done. [-0, +1, e] */
static int call_outcome(lua_State *L)
{
  ba_push_outcome(L, check_ended(L, 1));
  return 1;
}

/* call:answer(names) -> status, headers, attempts, elapsed, reused, retry_after,
 * request_id, limit, remaining, reset, is_json, file_bytes [, trailers] | nil
 * when it failed
 * Only when it is done. `names`: four lists, under which headers a service tells
 * request_id, limit, remaining and reset; the first that came counts. The text
 * of `reset` is for the caller to read. [-0, +1|12|13, e] */
static int call_answer(lua_State *L)
{
  struct ba_call *call = check_ended(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  return ba_push_answer(L, call);
}

/* call:body() -> string   The memory sink, or an error answer's. Only when it
 * is done. [-0, +1, e] */
static int call_body(lua_State *L)
{
  struct ba_outcome outcome;
  ba_call_outcome(check_ended(L, 1), &outcome);
  lua_pushlstring(L, outcome.body ? outcome.body : "", outcome.body_length);
  return 1;
}

/* call:json([options]) -> value | nil, message, err   The body, decoded where
 * it lies. Only when it is done. [-0, +1..3, e] */
static int call_json(lua_State *L)
{
  struct ba_call *call = check_ended(L, 1);
  lua_settop(L, 2);
  struct ba_outcome outcome;
  ba_call_outcome(call, &outcome);
  return ba_json_push_answer(L, outcome.body ? outcome.body : "", outcome.body_length, 2);
}

/* call:next_attempt() -> table | nil   [-0, +1, e] */
static int call_next_attempt(lua_State *L)
{
  ba_push_attempt(L, ba_check_call(L, 1));
  return 1;
}

/* ---- streams ------------------------------------------------------------- */

/* call:read() -> string | nil when nothing waits   [-0, +1, e] */
static int call_read(lua_State *L)
{
  struct ba_call_handle *handle = ba_check_call_handle(L, 1);
  /* Bytes that a memory error kept from Lua are still in the chunk. */
  if(handle->chunk.length == 0 && !ba_call_read(handle->call, &handle->chunk))
    lua_pushnil(L);
  else {
    lua_pushlstring(L, handle->chunk.bytes ? handle->chunk.bytes : "", handle->chunk.length);
    ba_buffer_free(&handle->chunk);
  }
  return 1;
}

/* call:write(bytes [, from]) -> how many were taken   `from` is the first
 * byte's position. [-0, +1, e] */
static int call_write(lua_State *L)
{
  struct ba_call *call = ba_check_call(L, 1);
  size_t length = 0;
  int64_t from = 1;
  const char *bytes = luaL_checklstring(L, 2, &length);
  luaL_argcheck(L, lua_isnoneornil(L, 3) || ba_to_integer(L, 3, &from), 3, "a position");
  luaL_argcheck(L, from >= 1 && (uint64_t)from <= (uint64_t)length + 1, 3, "outside the bytes");
  size_t skipped = (size_t)from - 1;
  ba_push_integer(L, (int64_t)ba_call_write(call, bytes + skipped, length - skipped));
  return 1;
}

/* call:write_end()   [-0, +0, e] */
static int call_write_end(lua_State *L)
{
  ba_call_write_end(ba_check_call(L, 1));
  return 0;
}

/* call:write_fail(message)   The request is cut off and the call ends. [-0, +0, e] */
static int call_write_fail(lua_State *L)
{
  struct ba_call *call = ba_check_call(L, 1);
  struct ba_error failure = {0};
  ba_error_set(&failure, BA_IO, "", "%s", luaL_checkstring(L, 2));
  ba_call_write_fail(call, &failure);
  return 0;
}

/* ---- tokens -------------------------------------------------------------- */

/* call:token_put(token [, lifetime]) -> true | nil, message, err   [-0, +1..3, e] */
static int call_token_put(lua_State *L)
{
  struct ba_call_handle *handle = ba_check_call_handle(L, 1);
  size_t length = 0;
  const char *token = luaL_checklstring(L, 2, &length);
  double lifetime = luaL_optnumber(L, 3, 0);
  struct ba_error err = {0};
  luaL_argcheck(L, handle->credential != NULL, 1, "a call without a credential");
  bool ok = ba_credential_put(handle->credential, token, length, lifetime, ba_now(), &err);
  ba_call_token_put(handle->call, ok, ok ? NULL : &err);
  if(!ok)
    return ba_fail(L, &err);
  lua_pushboolean(L, 1);
  return 1;
}

/* call:refresh_put(token) -> true | nil, message, err   What the source of refresh
 * tokens has now. [-0, +1..3, e] */
static int call_refresh_put(lua_State *L)
{
  struct ba_call_handle *handle = ba_check_call_handle(L, 1);
  size_t length = 0;
  const char *token = luaL_checklstring(L, 2, &length);
  struct ba_error err = {0};
  luaL_argcheck(L, handle->credential != NULL, 1, "a call without a credential");
  bool ok = ba_credential_put_refresh(handle->credential, token, length, &err);
  ba_call_token_put(handle->call, ok, ok ? NULL : &err);
  if(!ok)
    return ba_fail(L, &err);
  lua_pushboolean(L, 1);
  return 1;
}

/* call:token_kept(token)   The refresh token that call:renewed_token() gave is
 * where it is kept: calls may use the access token. [-0, +0, e] */
static int call_token_kept(lua_State *L)
{
  struct ba_call_handle *handle = ba_check_call_handle(L, 1);
  struct ba_buffer kept = {0};
  luaL_checktype(L, 2, LUA_TSTRING);
  kept.bytes = (char *)lua_tolstring(L, 2, &kept.length);
  luaL_argcheck(L, handle->credential != NULL, 1, "a call without a credential");
  ba_credential_told(handle->credential, &kept);
  ba_call_token_put(handle->call, true, NULL);
  return 0;
}

/* call:token_fail(message)   Every call that waits for the token ends. [-0, +0, e] */
static int call_token_fail(lua_State *L)
{
  struct ba_call *call = ba_check_call(L, 1);
  struct ba_error failure = {0};
  ba_error_set(&failure, BA_AUTH, "", "%s", luaL_checkstring(L, 2));
  ba_call_token_put(call, false, &failure);
  return 0;
}

/* call:renewed_token() -> string | nil   A refresh token that the server has
 * renewed, until call:token_kept(). [-0, +1, e] */
static int call_renewed_token(lua_State *L)
{
  struct ba_call_handle *handle = ba_check_call_handle(L, 1);
  struct ba_buffer token;
  ba_buffer_init_secret(&token, 64u << 10);
  if(!handle->credential || !ba_credential_renewed(handle->credential, &token)) {
    lua_pushnil(L);
    return 1;
  }
  /* The box wipes the token should Lua have no memory for it; the credential
   * has it until Lua has it. */
  ba_buffer_wipe(&handle->token);
  handle->token = token;
  lua_pushlstring(L, token.bytes, token.length);
  ba_buffer_wipe(&handle->token);
  return 1;
}

/* ---- nginx --------------------------------------------------------------- */

/* call:park(mailbox, address, semaphore [, tell])   nginx's semaphore at that
 * address is posted, once, when the call has news; `semaphore` is what keeps
 * it alive. With `tell`, mailbox:drain() names the call too. [-0, +0, e] */
static int call_park(lua_State *L)
{
  struct ba_call_handle *handle = ba_check_call_handle(L, 1);
  ba_park(L, &handle->parked, ba_call_id(handle->call));
  return 0;
}

static void cancel(void *call)
{
  ba_call_cancel(call);
}

/* call:bind(address) -> boolean   The call is cancelled when nginx's request at
 * that address ends. [-0, +1, e] */
static int call_bind(lua_State *L)
{
  struct ba_call_handle *handle = ba_check_call_handle(L, 1);
  double address = luaL_checknumber(L, 2);
  luaL_argcheck(L, address >= 0 && address < 9007199254740992.0, 2, "an address");
  lua_pushboolean(L, ba_bind(&handle->bound, cancel, handle->call, (void *)(uintptr_t)address));
  return 1;
}

/* ---- life ---------------------------------------------------------------- */

/* call:cancel()   Ends it as cancelled, if it has not ended. [-0, +0, e] */
static int call_cancel(lua_State *L)
{
  ba_call_cancel(ba_check_call(L, 1));
  return 0;
}

/* call:release(), __gc, __close   Gives back the body and all else, and so
 * cancels a call that runs. Lua does not know how large a body is: who is done
 * with one says so. [-0, +0, e] */
static int call_release(lua_State *L)
{
  struct ba_call_handle *handle = ba_check_object(L, 1, CALL_TYPE);
  if(handle->call)
    ba_unpark(L, &handle->parked, ba_call_id(handle->call));
  ba_unbind(&handle->bound);
  struct ba_call_handle was = *handle;
  memset(handle, 0, sizeof(*handle));
  if(was.request)
    ba_request_delete(was.request);
  if(was.call)
    ba_call_release(was.call);
  ba_buffer_free(&was.chunk);
  ba_buffer_wipe(&was.token);
  ba_credential_release(was.credential);
  return 0;
}

/* [-0, +1, e] */
static int call_tostring(lua_State *L)
{
  struct ba_call_handle *handle = ba_check_object(L, 1, CALL_TYPE);
  if(!handle->call) {
    lua_pushliteral(L, CALL_TYPE " (released)");
    return 1;
  }
  lua_pushliteral(L, CALL_TYPE " (");
  ba_push_integer(L, (int64_t)ba_call_id(handle->call));
  lua_pushliteral(L, ")");
  lua_concat(L, 3);
  return 1;
}

static const luaL_Reg methods[] = {
    {"answer", call_answer},
    {"bind", call_bind},
    {"body", call_body},
    {"cancel", call_cancel},
    {"id", call_id},
    {"json", call_json},
    {"news", call_news},
    {"next_attempt", call_next_attempt},
    {"outcome", call_outcome},
    {"park", call_park},
    {"read", call_read},
    {"release", call_release},
    {"refresh_put", call_refresh_put},
    {"renewed_token", call_renewed_token},
    {"token_fail", call_token_fail},
    {"token_kept", call_token_kept},
    {"token_put", call_token_put},
    {"write", call_write},
    {"write_end", call_write_end},
    {"write_fail", call_write_fail},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", call_release}, {"__tostring", call_tostring}, {NULL, NULL}};

void ba_open_call(lua_State *L)
{
  ba_new_type(L, CALL_TYPE, methods, metamethods);
}
