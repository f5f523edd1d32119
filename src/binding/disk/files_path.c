/* core.fs: what is done to a path, or to a file of a disk that is given before
 * its name; see batchapi/files.h. Each blocks. */
#include "binding/base/binding.h"

#include "batchapi/buffer.h"
#include "batchapi/credential.h"
#include "batchapi/files.h"
#include "batchapi/hash.h"
#include "binding/base/compat.h"
#include "binding/disk/file_handles.h"

#include <string.h>

static int push_true(lua_State *L, bool ok, const struct ba_error *err)
{
  if(!ok)
    return ba_fail(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

/* fs.rename([disk,] from, to) -> true | nil, message, err   [-0, +1|3, v] */
static int fs_rename(lua_State *L)
{
  struct ba_error err;
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  const char *from = luaL_checkstring(L, at), *to = luaL_checkstring(L, at + 1);
  return push_true(L, ba_fs_rename(disk, from, to, &err), &err);
}

/* fs.mkdir(path [, mode]) -> true | nil, message, err   [-0, +1|3, v] */
static int fs_mkdir(lua_State *L)
{
  struct ba_error err;
  return push_true(
      L, ba_fs_mkdir(luaL_checkstring(L, 1), (unsigned)luaL_optnumber(L, 2, 0777), &err), &err);
}

/* fs.unlink([disk,] name) -> true | nil, message, err   [-0, +1|3, v] */
static int fs_unlink(lua_State *L)
{
  struct ba_error err;
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  return push_true(L, ba_fs_unlink(disk, luaL_checkstring(L, at), &err), &err);
}

/* fs.goes_at_exit(path) -> true | nil, message, err   [-0, +1|3, v] */
static int fs_goes_at_exit(lua_State *L)
{
  struct ba_error err = {0};
  return push_true(L, ba_fs_goes_at_exit(luaL_checkstring(L, 1), &err), &err);
}

/* fs.rmdir(path) -> true | nil, message, err   [-0, +1|3, v] */
static int fs_rmdir(lua_State *L)
{
  struct ba_error err;
  return push_true(L, ba_fs_rmdir(luaL_checkstring(L, 1), &err), &err);
}

static uint64_t check_size(lua_State *L, int index)
{
  int64_t size;
  luaL_argcheck(L, ba_to_integer(L, index, &size) && size >= 0, index,
                "a whole number of bytes expected");
  return (uint64_t)size;
}

/* fs.truncate([disk,] name, size) -> true | nil, message, err   [-0, +1|3, v] */
static int fs_truncate(lua_State *L)
{
  struct ba_error err;
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  const char *name = luaL_checkstring(L, at);
  return push_true(L, ba_fs_truncate(disk, name, check_size(L, at + 1), &err), &err);
}

/* fs.sync_dir(path) -> true | nil, message, err   [-0, +1|3, v] */
static int fs_sync_dir(lua_State *L)
{
  struct ba_error err;
  return push_true(L, ba_fs_sync_directory(luaL_checkstring(L, 1), &err), &err);
}

/* fs.replace([disk,] name, bytes) -> true | nil, message, err   [-0, +1|3, v] */
static int fs_replace(lua_State *L)
{
  struct ba_error err;
  size_t length;
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  const char *name = luaL_checkstring(L, at);
  const char *bytes = luaL_checklstring(L, at + 1, &length);
  return push_true(L, ba_fs_replace(disk, name, bytes, length, &err), &err);
}

void ba_push_stat(lua_State *L, const struct ba_stat *info)
{
  lua_createtable(L, 0, 3);
  ba_push_integer(L, (int64_t)info->size);
  lua_setfield(L, -2, "size");
  lua_pushnumber(L, info->mtime);
  lua_setfield(L, -2, "mtime");
  lua_pushstring(L, info->type);
  lua_setfield(L, -2, "type");
}

/* fs.stat([disk,] name) -> { size, mtime, type } | nil, message, err   [-0, +1|3, v] */
static int fs_stat(lua_State *L)
{
  struct ba_error err;
  struct ba_stat info;
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  if(!ba_fs_stat(disk, luaL_checkstring(L, at), &info, &err))
    return ba_fail(L, &err);
  ba_push_stat(L, &info);
  return 1;
}

/* fs.sha256([disk,] name [, length]) -> hexadecimal | nil, message, err   [-0, +1|3, v] */
static int fs_sha256(lua_State *L)
{
  struct ba_error err;
  char text[BA_SHA256_HEX];
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  const char *name = luaL_checkstring(L, at);
  uint64_t length = lua_isnoneornil(L, at + 1) ? UINT64_MAX : check_size(L, at + 1);
  if(!ba_fs_sha256(disk, name, length, text, &err))
    return ba_fail(L, &err);
  lua_pushstring(L, text);
  return 1;
}

/* ---- what gives bytes: through a userdata that owns them ------------------ */

#define BYTES "batchapi.bytes"

static int bytes_gc(lua_State *L)
{
  ba_buffer_wipe(luaL_checkudata(L, 1, BYTES));
  return 0;
}

static struct ba_buffer *new_bytes(lua_State *L, size_t cap)
{
  struct ba_buffer *bytes = ba_new_userdata(L, sizeof(*bytes), BYTES);
  ba_buffer_init(bytes, cap);
  return bytes;
}

static int push_bytes(lua_State *L, struct ba_buffer *bytes, bool ok, const struct ba_error *err)
{
  if(ok)
    lua_pushlstring(L, bytes->length ? bytes->bytes : "", bytes->length);
  ba_buffer_wipe(bytes);
  return ok ? 1 : ba_fail(L, err);
}

/* fs.read([disk,] name [, cap]) -> bytes | nil, message, err   [-0, +1|3, v] */
static int fs_read(lua_State *L)
{
  struct ba_error err;
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  const char *name = luaL_checkstring(L, at);
  uint64_t cap = lua_isnoneornil(L, at + 1) ? BA_READ_MAX_BYTES : check_size(L, at + 1);
  luaL_argcheck(L, cap <= BA_READ_MAX_BYTES, at + 1, "the cap is 1 GiB at most");
  struct ba_buffer *bytes = new_bytes(L, (size_t)cap);
  return push_bytes(L, bytes, ba_fs_read(disk, name, bytes, &err), &err);
}

#define PRIVATE_MAX (1u << 20) /* bytes of a file with settings and keys */

/* fs.private(path) -> bytes | nil, message, err   Of a file that its owner alone may read and
 * write; the bytes are wiped here. [-0, +1|3, v] */
static int fs_private(lua_State *L)
{
  struct ba_error err;
  const char *path = luaL_checkstring(L, 1);
  struct ba_buffer *bytes = ba_new_userdata(L, sizeof(*bytes), BYTES);
  ba_buffer_init_secret(bytes, PRIVATE_MAX);
  return push_bytes(L, bytes, ba_private_file_read(path, bytes, &err), &err);
}

size_t ba_check_offsets(lua_State *L, int index, uint64_t *offsets)
{
  luaL_checktype(L, index, LUA_TTABLE);
  size_t count = lua_rawlen(L, index);
  luaL_argcheck(L, count <= BA_OFFSETS_MAX, index, "too many offsets");
  for(size_t i = 0; i < count; i++) {
    int64_t offset = 0;
    lua_rawgeti(L, index, (int)i + 1);
    luaL_argcheck(L, ba_to_integer(L, -1, &offset) && offset >= 0, index, "an offset expected");
    lua_pop(L, 1);
    offsets[i] = (uint64_t)offset;
  }
  return count;
}

/* fs.lines([disk,] name, offsets) -> bytes | nil, message, err   [-0, +1|3, v] */
static int fs_lines(lua_State *L)
{
  struct ba_error err;
  uint64_t offsets[BA_OFFSETS_MAX];
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  const char *name = luaL_checkstring(L, at);
  size_t count = ba_check_offsets(L, at + 1, offsets);
  struct ba_buffer *bytes = new_bytes(L, BA_READ_MAX_BYTES);
  return push_bytes(L, bytes, ba_fs_lines(disk, name, offsets, count, bytes, &err), &err);
}

void ba_push_names(lua_State *L, const struct ba_buffer *names)
{
  int count = 0;
  lua_newtable(L);
  for(size_t at = 0; at < names->length; at += strlen(names->bytes + at) + 1) {
    lua_pushstring(L, names->bytes + at);
    lua_rawseti(L, -2, ++count);
  }
}

/* fs.list(disk or path) -> names, in any order | nil, message, err   [-0, +1|3, v] */
static int fs_list(lua_State *L)
{
  struct ba_error err;
  struct ba_disk *disk = ba_test_disk(L, 1);
  const char *path = disk ? NULL : luaL_checkstring(L, 1);
  struct ba_buffer *names = new_bytes(L, BA_READ_MAX_BYTES);
  if(!(disk ? ba_fs_list(disk, names, &err) : ba_fs_list_directory(path, names, &err)))
    return ba_fail(L, &err);
  ba_push_names(L, names);
  return 1;
}

/* fs.tmpfile([directory]) -> path | nil, message, err   [-0, +1|3, v] */
static int fs_tmpfile(lua_State *L)
{
  struct ba_error err;
  const char *directory = luaL_optstring(L, 1, NULL);
  struct ba_buffer *path = new_bytes(L, 8192);
  return push_bytes(L, path, ba_fs_temporary(directory, path, &err), &err);
}

void ba_open_fs(lua_State *L)
{
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg bytes_meta[] = {{"__gc", bytes_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"rename", fs_rename},     {"mkdir", fs_mkdir},
                                       {"unlink", fs_unlink},     {"goes_at_exit", fs_goes_at_exit},
                                       {"rmdir", fs_rmdir},       {"truncate", fs_truncate},
                                       {"sync_dir", fs_sync_dir}, {"replace", fs_replace},
                                       {"stat", fs_stat},         {"sha256", fs_sha256},
                                       {"read", fs_read},         {"private", fs_private},
                                       {"lines", fs_lines},       {"list", fs_list},
                                       {"tmpfile", fs_tmpfile},   {NULL, NULL}};
  ba_new_type(L, BYTES, none, bytes_meta);
  ba_set_functions(L, functions);
}
