/* core.ledger(): the account of a job's requests (batchapi/ledger.h). Numbers
 * out of range are misuse. */
#include "binding/base/binding.h"
#include "binding/base/compat.h"

#include "batchapi/error.h"
#include "batchapi/ledger.h"

#define LEDGER_TYPE "batchapi.ledger"

struct box {
  struct ba_ledger *ledger; /* NULL: not made yet, or collected */
};

static struct ba_ledger *check_ledger(lua_State *L)
{
  struct box *box = luaL_checkudata(L, 1, LEDGER_TYPE);
  luaL_argcheck(L, box->ledger != NULL, 1, "a ledger that is gone");
  return box->ledger;
}

static uint32_t check_number(lua_State *L, const struct ba_ledger *ledger, int index)
{
  lua_Number number = luaL_checknumber(L, index);
  luaL_argcheck(L, number >= 1 && number <= (lua_Number)ba_ledger_count(ledger), index,
                "no request of that number");
  return (uint32_t)number;
}

static unsigned check_state(lua_State *L, int index)
{
  lua_Number state = luaL_checknumber(L, index);
  luaL_argcheck(L, state >= 0 && state < BA_LEDGER_STATES, index, "no such state");
  return (unsigned)state;
}

/* core.ledger([seed [, bits]]) -> ledger   [-0, +1, e] */
static int ledger_new(lua_State *L)
{
  lua_Number seed = luaL_optnumber(L, 1, 0);
  lua_Number bits = luaL_optnumber(L, 2, 64);
  luaL_argcheck(L, seed >= 0 && seed < 9007199254740992.0, 1, "not a seed");
  luaL_argcheck(L, bits >= 1 && bits <= 64, 2, "1 to 64 bits");
  struct box *box = ba_new_userdata(L, sizeof *box, LEDGER_TYPE);
  struct ba_error err = {0};
  box->ledger = ba_ledger_new((uint64_t)seed, (unsigned)bits, &err);
  return box->ledger ? 1 : ba_fail(L, &err);
}

/* ledger:add([id [, force]]) -> number | nil, other | nil, message, err   [-0, +1..3, e] */
static int ledger_add(lua_State *L)
{
  struct ba_ledger *ledger = check_ledger(L);
  size_t length = 0;
  const char *id = luaL_optlstring(L, 2, NULL, &length);
  struct ba_error err = {0};
  uint32_t other = 0;
  uint32_t number = ba_ledger_add(ledger, id, length, lua_toboolean(L, 3), &other, &err);
  if(number) {
    ba_push_integer(L, number);
    return 1;
  }
  if(!other)
    return ba_fail(L, &err);
  lua_pushnil(L);
  ba_push_integer(L, other);
  return 2;
}

/* ledger:find(id) -> number | nil   [-0, +1, e] */
static int ledger_find(lua_State *L)
{
  struct ba_ledger *ledger = check_ledger(L);
  size_t length = 0;
  const char *id = luaL_checklstring(L, 2, &length);
  uint32_t number = ba_ledger_find(ledger, id, length);
  if(number)
    ba_push_integer(L, number);
  else
    lua_pushnil(L);
  return 1;
}

/* ledger:count() -> how many   [-0, +1, e] */
static int ledger_count(lua_State *L)
{
  ba_push_integer(L, ba_ledger_count(check_ledger(L)));
  return 1;
}

/* ledger:state(number) -> state   [-0, +1, e] */
static int ledger_state(lua_State *L)
{
  struct ba_ledger *ledger = check_ledger(L);
  ba_push_integer(L, ba_ledger_state(ledger, check_number(L, ledger, 2)));
  return 1;
}

/* ledger:set(number, state)   [-0, +0, e] */
static int ledger_set(lua_State *L)
{
  struct ba_ledger *ledger = check_ledger(L);
  uint32_t number = check_number(L, ledger, 2);
  ba_ledger_set(ledger, number, check_state(L, 3));
  return 0;
}

/* ledger:place(number) -> byte offset   [-0, +1, e] */
static int ledger_place(lua_State *L)
{
  struct ba_ledger *ledger = check_ledger(L);
  ba_push_integer(L, (int64_t)ba_ledger_place(ledger, check_number(L, ledger, 2)));
  return 1;
}

/* ledger:put(number, byte offset)   [-0, +0, e] */
static int ledger_put(lua_State *L)
{
  struct ba_ledger *ledger = check_ledger(L);
  uint32_t number = check_number(L, ledger, 2);
  lua_Number place = luaL_checknumber(L, 3);
  luaL_argcheck(L, place >= 0 && place < 9007199254740992.0, 3, "not an offset");
  ba_ledger_put(ledger, number, (uint64_t)place);
  return 0;
}

/* ledger:tally(state) -> how many are in it   [-0, +1, e] */
static int ledger_tally(lua_State *L)
{
  struct ba_ledger *ledger = check_ledger(L);
  ba_push_integer(L, ba_ledger_tally(ledger, check_state(L, 2)));
  return 1;
}

/* ledger:next(number, state) -> the first in that state from number on | nil   [-0, +1, e] */
static int ledger_next(lua_State *L)
{
  struct ba_ledger *ledger = check_ledger(L);
  lua_Number from = luaL_checknumber(L, 2);
  uint32_t number = 0;
  if(from >= 1 && from <= (lua_Number)ba_ledger_count(ledger))
    number = ba_ledger_next(ledger, (uint32_t)from, check_state(L, 3));
  if(number)
    ba_push_integer(L, number);
  else
    lua_pushnil(L);
  return 1;
}

static int ledger_gc(lua_State *L)
{
  struct box *box = luaL_checkudata(L, 1, LEDGER_TYPE);
  struct ba_ledger *ledger = box->ledger;
  box->ledger = NULL;
  ba_ledger_delete(ledger);
  return 0;
}

void ba_open_ledger(lua_State *L)
{
  static const luaL_Reg methods[] = {{"add", ledger_add},     {"find", ledger_find},
                                     {"count", ledger_count}, {"state", ledger_state},
                                     {"set", ledger_set},     {"place", ledger_place},
                                     {"put", ledger_put},     {"tally", ledger_tally},
                                     {"next", ledger_next},   {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__gc", ledger_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"ledger", ledger_new}, {NULL, NULL}};
  ba_new_type(L, LEDGER_TYPE, methods, metamethods);
  ba_set_functions(L, functions);
}
