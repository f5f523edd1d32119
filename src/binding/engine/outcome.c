/* What a call came to, and what its attempts were, as Lua tables. */
#include "binding/engine/handle.h"

#include "batchapi/json.h"

#include <math.h>
#include <string.h>

/* [-0, +0, m] */
static void set_text(lua_State *L, const char *name, const char *text)
{
  if(text && *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
  }
}

/* [-0, +0, m] */
static void set_number(lua_State *L, const char *name, double value)
{
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

/* [-0, +0, m] */
static void set_integer(lua_State *L, const char *name, int64_t value)
{
  ba_push_integer(L, value);
  lua_setfield(L, -2, name);
}

/* [-0, +0, m] */
static void set_boolean(lua_State *L, const char *name, bool value)
{
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

void ba_push_outcome(lua_State *L, struct ba_call *call)
{
  struct ba_outcome outcome;
  ba_call_outcome(call, &outcome);
  lua_createtable(L, 0, 16);
  set_boolean(L, "ok", outcome.ok);
  set_integer(L, "status", outcome.status);
  set_integer(L, "attempts", outcome.attempts);
  set_number(L, "elapsed", outcome.elapsed);
  set_boolean(L, "reused", outcome.reused);
  set_boolean(L, "retryable", outcome.retryable);
  set_boolean(L, "maybe_sent", outcome.maybe_sent);
  set_integer(L, "file_bytes", (int64_t)outcome.file_bytes);
  set_text(L, "http_version", outcome.http_version);
  if(outcome.retry_after >= 0)
    set_number(L, "retry_after", outcome.retry_after);
  if(outcome.body_cut)
    set_boolean(L, "body_cut", true);
  if(!outcome.ok) {
    set_text(L, "kind", ba_kind_name(outcome.error->kind));
    set_text(L, "code", outcome.error->code);
    set_text(L, "message", outcome.error->message);
  }
  ba_push_headers(L, outcome.headers, outcome.header_count);
  lua_setfield(L, -2, "headers");
  if(outcome.trailer_count) {
    ba_push_headers(L, outcome.trailers, outcome.trailer_count);
    lua_setfield(L, -2, "trailers");
  }
}

/* Pushes the value of the first header that came of those in list `n` of the
 * lists at 2, or nil. [-0, +1, m] */
static void push_first(lua_State *L, int headers, int n)
{
  lua_rawgeti(L, 2, n);
  luaL_checktype(L, -1, LUA_TTABLE);
  int list = lua_gettop(L), count = (int)lua_rawlen(L, list);
  lua_pushnil(L);
  for(int i = 1; i <= count && lua_isnil(L, -1); i++) {
    lua_pop(L, 1);
    lua_rawgeti(L, list, i);
    lua_rawget(L, headers);
  }
  lua_replace(L, list);
}

/* Pushes the number that the text is, read as JSON's are: the host's locale may
 * have a comma for the point. Nil when it is none.   [-0, +1, -] */
static void push_number(lua_State *L, const char *text, size_t length)
{
  int64_t whole = 0;
  double number = 0;
  const char *at = text;
  enum ba_json_token token =
      length ? ba_json_read_number(&at, text + length, &whole, &number, NULL) : BA_JSON_FAILED;
  if(token == BA_JSON_FAILED || at != text + length)
    lua_pushnil(L);
  else if(token == BA_JSON_INTEGER)
    ba_push_integer(L, whole);
  else if(fabs(number) < 1e15 && number == (double)(int64_t)number)
    ba_push_integer(L, (int64_t)number);
  else
    lua_pushnumber(L, number);
}

/* The same, but as a number: nil when its text is none. [-0, +1, m] */
static void push_first_number(lua_State *L, int headers, int n)
{
  push_first(L, headers, n);
  size_t length;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if(!text)
    return;
  push_number(L, text, length);
  lua_replace(L, -2);
}

/* Does the Content-Type say JSON ("application/json", "text/json; …", "…+json")? */
static bool is_json(const struct ba_outcome *outcome)
{
  for(size_t i = 0; i < outcome->header_count; i++) {
    if(strcmp(outcome->headers[i].name, "content-type") == 0)
      return strstr(outcome->headers[i].value, "json") != NULL;
  }
  return false;
}

int ba_push_answer(lua_State *L, struct ba_call *call)
{
  enum { REQUEST_ID = 1, LIMIT, REMAINING, RESET }; /* of the lists at 2 */
  luaL_checkstack(L, 20, "the answer");
  struct ba_outcome outcome;
  ba_call_outcome(call, &outcome);
  if(!outcome.ok) {
    lua_pushnil(L);
    return 1;
  }
  ba_push_integer(L, outcome.status);
  ba_push_headers(L, outcome.headers, outcome.header_count);
  int headers = lua_gettop(L);
  ba_push_integer(L, outcome.attempts);
  lua_pushnumber(L, outcome.elapsed);
  lua_pushboolean(L, outcome.reused);
  if(outcome.retry_after >= 0)
    lua_pushnumber(L, outcome.retry_after);
  else
    lua_pushnil(L);
  push_first(L, headers, REQUEST_ID);
  if(!lua_isnil(L, -1))
    ba_replace_printable(L);
  push_first_number(L, headers, LIMIT);
  push_first_number(L, headers, REMAINING);
  push_first(L, headers, RESET);
  lua_pushboolean(L, is_json(&outcome));
  ba_push_integer(L, (int64_t)outcome.file_bytes);
  if(!outcome.trailer_count)
    return 12;
  ba_push_headers(L, outcome.trailers, outcome.trailer_count);
  return 13;
}

void ba_push_attempt(lua_State *L, struct ba_call *call)
{
  struct ba_attempt attempt;
  if(!ba_call_next_attempt(call, &attempt)) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, 0, 14);
  set_integer(L, "number", attempt.number);
  set_text(L, "method", attempt.method);
  set_text(L, "url", attempt.url);
  if(attempt.status)
    set_integer(L, "status", attempt.status);
  if(attempt.kind != BA_OK) {
    set_text(L, "kind", ba_kind_name(attempt.kind));
    set_text(L, "message", attempt.message);
  }
  set_number(L, "started", attempt.started);
  set_number(L, "elapsed", attempt.elapsed);
  set_integer(L, "bytes_sent", (int64_t)attempt.bytes_sent);
  set_integer(L, "bytes_received", (int64_t)attempt.bytes_received);
  set_boolean(L, "reused", attempt.reused);
  if(attempt.retry_in >= 0)
    set_number(L, "retry_in", attempt.retry_in);
  ba_push_headers(L, attempt.request_headers, attempt.request_header_count);
  lua_setfield(L, -2, "headers");
}
