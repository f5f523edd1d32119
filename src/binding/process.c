/* What belongs to the process: clocks, versions, its number. */
#include "binding/base/binding.h"
#include "binding/base/compat.h"

#include "batchapi/clock.h"
#include "batchapi/forks.h"
#include "batchapi/http_date.h"
#include "batchapi/libcurl.h"
#include "batchapi/printable.h"
#include "batchapi/process.h"
#include "batchapi/version.h"

#include <string.h>
#include <unistd.h>

/* core.now() -> seconds   Monotonic. [-0, +1, -] */
static int process_now(lua_State *L)
{
  lua_pushnumber(L, ba_now());
  return 1;
}

/* core.wall() -> seconds   Since 1970. [-0, +1, -] */
static int process_wall(lua_State *L)
{
  lua_pushnumber(L, ba_wall());
  return 1;
}

/* core.boot() -> id, seconds   Nothing where the system does not tell. [-0, +0|2, m] */
static int process_boot(lua_State *L)
{
  char id[BA_BOOT_ID_MAX];
  double since;
  if(!ba_boot(id, &since))
    return 0;
  lua_pushstring(L, id);
  lua_pushnumber(L, since);
  return 2;
}

/* core.http_date(text) -> seconds|nil   Since 1970. [-0, +1, v] */
static int process_http_date(lua_State *L)
{
  int64_t seconds;
  if(ba_http_date(luaL_checkstring(L, 1), (int64_t)ba_wall(), &seconds))
    lua_pushnumber(L, (lua_Number)seconds);
  else
    lua_pushnil(L);
  return 1;
}

/* core.forks() -> integer   Changes in a child of fork. [-0, +1, -] */
static int process_forks(lua_State *L)
{
  ba_push_integer(L, (int64_t)ba_forks());
  return 1;
}

/* core.pid() -> integer   [-0, +1, -] */
static int process_pid(lua_State *L)
{
  ba_push_integer(L, (int64_t)getpid());
  return 1;
}

/* core.isatty(descriptor) -> boolean   [-0, +1, v] */
static int process_isatty(lua_State *L)
{
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* The table on the top gets a field of them. [-0, +0, m] */
static void set_versions(lua_State *L, const char *name, struct ba_two_versions versions)
{
  lua_createtable(L, 0, 2);
  lua_pushstring(L, versions.built);
  lua_setfield(L, -2, "built");
  lua_pushstring(L, versions.running);
  lua_setfield(L, -2, "running");
  lua_setfield(L, -2, name);
}

/* core.versions() -> { libcurl = { built, running }, openssl, zlib, made_of, features }
 * [-0, +1, m] */
static int process_versions(lua_State *L)
{
  lua_newtable(L);
  set_versions(L, "libcurl", ba_curl_versions());
  set_versions(L, "openssl", ba_tls_versions());
  set_versions(L, "zlib", ba_zlib_versions());
  lua_pushstring(L, ba_curl_text());
  lua_setfield(L, -2, "made_of");
  lua_newtable(L);
  for(int need = 0; need < BA_CURL_NEEDS; need++) {
    if(!ba_curl_key(need))
      continue;
    lua_pushboolean(L, ba_curl_has(need));
    lua_setfield(L, -2, ba_curl_key(need));
  }
  lua_setfield(L, -2, "features");
  return 1;
}

void ba_replace_printable(lua_State *L)
{
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if(ba_is_printable(text, length))
    return;
  char *copy = lua_newuserdata(L, length + 1);
  memcpy(copy, text, length);
  ba_make_printable(copy, length);
  lua_pushlstring(L, copy, length);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* core.printable(text) -> text   Fit for a terminal and a log: the same if it is
 * so already. [-0, +1, m] */
static int process_printable(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TSTRING);
  lua_settop(L, 1);
  ba_replace_printable(L);
  return 1;
}

static const luaL_Reg functions[] = {
    {"boot", process_boot},
    {"forks", process_forks},
    {"http_date", process_http_date},
    {"isatty", process_isatty},
    {"now", process_now},
    {"pid", process_pid},
    {"printable", process_printable},
    {"versions", process_versions},
    {"wall", process_wall},
    {NULL, NULL},
};

void ba_open_process(lua_State *L)
{
  struct ba_error err = {0};
  ba_forks(); /* from now on */
  if(!ba_engine_load(&err))
    luaL_error(L, "batchapi.core: %s", err.message);
  ba_set_functions(L, functions);
}
