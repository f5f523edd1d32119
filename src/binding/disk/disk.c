/* core.disk(path): a directory that was opened once (batchapi/disk.h). The
 * functions of core.fs, core.reader, core.writer and core.work take one before
 * the name. */
#include "binding/base/binding.h"

#include "batchapi/disk.h"
#include "binding/base/compat.h"
#include "binding/disk/file_handles.h"

#include <string.h>

struct ba_disk *ba_disk_argument(lua_State *L, int *at)
{
  struct ba_disk *disk = ba_test_disk(L, *at);
  *at += disk != NULL;
  return disk;
}

void ba_push_disk(lua_State *L, struct ba_disk **disk)
{
  struct ba_disk_box *box = ba_new_userdata(L, sizeof(*box), BA_DISK_TYPE);
  box->disk = *disk;
  *disk = NULL;
}

static bool boolean_field(lua_State *L, int index, const char *name)
{
  lua_getfield(L, index, name);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

void ba_disk_options_of(lua_State *L, int index, struct ba_disk_options *options)
{
  memset(options, 0, sizeof(*options));
  if(lua_isnoneornil(L, index))
    return;
  luaL_checktype(L, index, LUA_TTABLE);
  options->create = boolean_field(L, index, "create");
  options->group = boolean_field(L, index, "group");
  lua_getfield(L, index, "mark");
  options->mark = luaL_optstring(L, -1, NULL); /* lives as long as the table */
  lua_pop(L, 1);
}

/* core.disk(path [, { create =, group =, mark = }]) -> disk | nil, message, err
 *   [-0, +1|3, v] */
static int disk_new(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct ba_disk_options options;
  struct ba_error err;
  ba_disk_options_of(L, 2, &options);
  struct ba_disk_box *box = ba_new_userdata(L, sizeof(*box), BA_DISK_TYPE);
  box->disk = ba_disk_open(path, &options, &err);
  return box->disk ? 1 : ba_fail(L, &err);
}

static int disk_gc(lua_State *L)
{
  struct ba_disk_box *box = luaL_checkudata(L, 1, BA_DISK_TYPE);
  struct ba_disk *disk = box->disk;
  box->disk = NULL;
  ba_disk_release(disk);
  return 0;
}

static int disk_tostring(lua_State *L)
{
  struct ba_disk_box *box = luaL_checkudata(L, 1, BA_DISK_TYPE);
  lua_pushfstring(L, BA_DISK_TYPE " (%s)", box->disk ? ba_disk_path(box->disk) : "closed");
  return 1;
}

void ba_open_disk(lua_State *L)
{
  static const luaL_Reg methods[] = {{"close", disk_gc}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", disk_gc}, {"__tostring", disk_tostring}, {NULL, NULL}};
  ba_new_type(L, BA_DISK_TYPE, methods, metamethods);
  lua_pushcfunction(L, disk_new);
  lua_setfield(L, -2, "disk");
}
