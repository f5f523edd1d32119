/* simulated_disk: memory_disk.h for Lua. A disk's mounts are batchapi's own
 * disks: whatever takes one of core.disk takes one of these. */
#include "binding/base/binding.h"

#include "batchapi/disk.h"
#include "binding/base/compat.h"
#include "binding/disk/file_handles.h"
#include "memory_disk.h"

#define TYPE "batchapi.simulated_disk"

static struct memory_disk *check(lua_State *L)
{
  struct memory_disk **box = luaL_checkudata(L, 1, TYPE);
  luaL_argcheck(L, *box != NULL, 1, "the disk is closed");
  return *box;
}

/* simulated_disk.new() -> disk   [-0, +1, e] */
static int disk_new(lua_State *L)
{
  struct memory_disk **box = ba_new_userdata(L, sizeof(struct memory_disk *), TYPE);
  *box = memory_disk_new();
  return *box ? 1 : luaL_error(L, "no memory");
}

/* disk:mount(path) -> what core.disk gives; the mounts before it are dead   [-0, +1, e] */
static int disk_mount(lua_State *L)
{
  struct memory_disk *disk = check(L);
  const char *path = luaL_checkstring(L, 2);
  struct ba_error err = {0};
  void *mount = memory_disk_mount(disk);
  struct ba_disk *made = mount ? ba_disk_new(&memory_disk_ops, mount, path, &err) : NULL;
  if(!made)
    return luaL_error(L, "no memory");
  ba_push_disk(L, &made);
  return 1;
}

/* disk:die_after(operations)   [-0, +0, e] */
static int disk_die_after(lua_State *L)
{
  memory_disk_die_after(check(L), (uint64_t)luaL_checknumber(L, 2));
  return 0;
}

/* disk:is_dead() -> boolean   [-0, +1, e] */
static int disk_is_dead(lua_State *L)
{
  lua_pushboolean(L, memory_disk_is_dead(check(L)));
  return 1;
}

/* disk:crash(choices)   [-0, +0, e] */
static int disk_crash(lua_State *L)
{
  memory_disk_crash(check(L), (uint64_t)luaL_checknumber(L, 2));
  return 0;
}

/* disk:open_files() -> integer   [-0, +1, e] */
static int disk_open_files(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)memory_disk_open_files(check(L)));
  return 1;
}

/* disk:operations() -> integer   [-0, +1, e] */
static int disk_operations(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)memory_disk_operations(check(L)));
  return 1;
}

/* disk:names() -> { name = size }   [-0, +1, e] */
static int disk_names(lua_State *L)
{
  struct memory_disk *disk = check(L);
  const char *name;
  size_t size;
  lua_newtable(L);
  for(size_t n = 0; memory_disk_name(disk, n, &name, &size); n++) {
    lua_pushinteger(L, (lua_Integer)size);
    lua_setfield(L, -2, name);
  }
  return 1;
}

/* disk:read(name) -> bytes | nil   [-0, +1, e] */
static int disk_read(lua_State *L)
{
  const char *bytes;
  size_t size;
  if(memory_disk_read(check(L), luaL_checkstring(L, 2), &bytes, &size))
    lua_pushlstring(L, bytes, size);
  else
    lua_pushnil(L);
  return 1;
}

/* disk:put(name, bytes)   A file that lasts. [-0, +0, e] */
static int disk_put(lua_State *L)
{
  size_t size;
  const char *bytes = luaL_checklstring(L, 3, &size);
  if(!memory_disk_put(check(L), luaL_checkstring(L, 2), bytes, size))
    return luaL_error(L, "no room");
  return 0;
}

/* disk:flip(name, bit) -> boolean   [-0, +1, e] */
static int disk_flip(lua_State *L)
{
  lua_pushboolean(
      L, memory_disk_flip(check(L), luaL_checkstring(L, 2), (size_t)luaL_checknumber(L, 3)));
  return 1;
}

static int disk_gc(lua_State *L)
{
  struct memory_disk **box = luaL_checkudata(L, 1, TYPE);
  struct memory_disk *disk = *box;
  *box = NULL;
  if(disk)
    memory_disk_release(disk);
  return 0;
}

__attribute__((visibility("default"))) int luaopen_simulated_disk(lua_State *L);

int luaopen_simulated_disk(lua_State *L)
{
  static const luaL_Reg methods[] = {{"crash", disk_crash},
                                     {"die_after", disk_die_after},
                                     {"flip", disk_flip},
                                     {"is_dead", disk_is_dead},
                                     {"mount", disk_mount},
                                     {"names", disk_names},
                                     {"open_files", disk_open_files},
                                     {"operations", disk_operations},
                                     {"put", disk_put},
                                     {"read", disk_read},
                                     {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__gc", disk_gc}, {NULL, NULL}};
  ba_new_type(L, TYPE, methods, metamethods);
  lua_newtable(L);
  lua_pushcfunction(L, disk_new);
  lua_setfield(L, -2, "new");
  return 1;
}
