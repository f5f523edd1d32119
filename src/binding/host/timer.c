/* core.timer(seconds): a descriptor that becomes readable once, when the time
 * is over. For event loops that can wait for descriptors only. */
#include "binding/base/binding.h"
#include "binding/base/compat.h"

#include "batchapi/after.h"
#include "batchapi/error.h"

#include <errno.h>

#define TIMER_TYPE "batchapi.timer"

struct box {
  int fd;
  bool open;
};

static struct box *check_timer(lua_State *L)
{
  struct box *box = luaL_checkudata(L, 1, TIMER_TYPE);
  luaL_argcheck(L, box->open, 1, "the timer is closed");
  return box;
}

/* core.timer(seconds) -> timer | nil, message, err   [-0, +1..3, e] */
static int timer_new(lua_State *L)
{
  double seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 1, "seconds, at most 1e9");
  struct box *box = ba_new_userdata(L, sizeof(*box), TIMER_TYPE);
  box->fd = ba_after(seconds);
  box->open = box->fd >= 0;
  if(box->open)
    return 1;
  struct ba_error err = {0};
  ba_error_errno(&err, errno, "timer");
  return ba_fail(L, &err);
}

/* timer:fd() -> integer   [-0, +1, e] */
static int timer_fd(lua_State *L)
{
  ba_push_integer(L, check_timer(L)->fd);
  return 1;
}

/* timer:expired() -> boolean   [-0, +1, e] */
static int timer_expired(lua_State *L)
{
  lua_pushboolean(L, ba_after_expired(check_timer(L)->fd));
  return 1;
}

/* timer:close(), __gc, __close   [-0, +0, e] */
static int timer_close(lua_State *L)
{
  struct box *box = luaL_checkudata(L, 1, TIMER_TYPE);
  if(box->open)
    ba_after_close(box->fd);
  box->open = false;
  return 0;
}

static const luaL_Reg methods[] = {
    {"close", timer_close}, {"expired", timer_expired}, {"fd", timer_fd}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", timer_close}, {NULL, NULL}};

void ba_open_timer(lua_State *L)
{
  ba_new_type(L, TIMER_TYPE, methods, metamethods);
  lua_pushcfunction(L, timer_new);
  lua_setfield(L, -2, "timer");
}
