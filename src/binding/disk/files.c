/* core.writer, core.fs, core.sha256, core.random: what a job keeps on disk. */
#include "binding/base/binding.h"

#include "batchapi/files.h"
#include "batchapi/hash.h"
#include "batchapi/random.h"
#include "batchapi/record.h"
#include "binding/base/compat.h"
#include "binding/disk/file_handles.h"
#include "binding/json/json_lua.h"

#include <string.h>

#define WRITER "batchapi.writer"
#define LOCK "batchapi.lock"
#define SHA256 "batchapi.sha256"

enum { FLUSH_BYTES = 256 << 10, BUFFER_BYTES = 64 << 20 };

/* ---- writer ------------------------------------------------------------ */

struct writer {
  struct ba_file *file; /* NULL: closed */
  struct ba_buffer buffer;
  uint64_t bytes; /* in the file and in the buffer */
  bool deferred;  /* the file thread writes; full() says when */
};

static struct writer *to_writer(lua_State *L)
{
  return luaL_checkudata(L, 1, WRITER);
}

static struct writer *check_writer(lua_State *L)
{
  struct writer *writer = to_writer(L);
  if(!writer->file)
    luaL_error(L, "the writer is closed");
  return writer;
}

static bool flush(struct writer *writer, struct ba_error *err)
{
  if(writer->buffer.length == 0)
    return ba_file_sound(writer->file, err);
  bool ok = ba_file_write(writer->file, writer->buffer.bytes, writer->buffer.length, err);
  ba_buffer_clear(&writer->buffer);
  return ok;
}

/* The methods that write at once are not for a writer whose bytes another
 * thread writes: they would overtake them. */
static struct writer *check_direct(lua_State *L)
{
  struct writer *writer = check_writer(L);
  if(writer->deferred)
    luaL_error(L, "a deferred writer is flushed, synced and closed by core.work");
  return writer;
}

static bool flush_if_due(struct writer *writer, struct ba_error *err)
{
  return writer->deferred || writer->buffer.length < FLUSH_BYTES || flush(writer, err);
}

static int push_true(lua_State *L, bool ok, const struct ba_error *err)
{
  if(!ok)
    return ba_fail(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

/* Lua allocates meanwhile, so that a finaliser might write to the same writer in
 * the middle of a line: the codec's memory comes between. */
static bool append_line(lua_State *L, struct writer *writer, const struct ba_json_options *options,
                        struct ba_error *err)
{
  struct ba_json_codec *codec = ba_json_codec_take(L);
  bool ok = ba_json_encode(L, 2, codec, options, err) &&
            ba_buffer_append(&codec->out, "\n", 1, err) &&
            ba_buffer_append(&writer->buffer, codec->out.bytes, codec->out.length, err);
  ba_json_codec_release(codec);
  return ok;
}

/* Counts what was appended behind `before`, and writes it when it is time.
 *   [-0, +1|3, m] */
static int appended(lua_State *L, struct writer *writer, size_t before, bool ok,
                    struct ba_error *err)
{
  if(!ok)
    return ba_fail(L, err);
  size_t length = writer->buffer.length - before;
  writer->bytes += length;
  if(!flush_if_due(writer, err))
    return ba_fail(L, err);
  ba_push_integer(L, (int64_t)length);
  return 1;
}

/* writer:encode(value [, options]) -> bytes of the line | nil, message, err
 *   [-0, +1|3, v] */
static int writer_encode(lua_State *L)
{
  struct writer *writer = check_writer(L);
  struct ba_json_options options;
  struct ba_error err;
  luaL_checkany(L, 2);
  ba_json_encode_options(L, 3, &options);
  if(!ba_file_sound(writer->file, &err))
    return ba_fail(L, &err);
  size_t before = writer->buffer.length;
  bool ok = append_line(L, writer, &options, &err);
  return appended(L, writer, before, ok, &err);
}

/* writer:record(fields, number, seed [, line [, strict]]) -> bytes of the line | nil, message, err
 *   [-0, +1|3, v] */
static int writer_record(lua_State *L)
{
  struct writer *writer = check_writer(L);
  struct ba_error err;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 6);
  size_t before = writer->buffer.length;
  bool ok = ba_file_sound(writer->file, &err) && ba_record_append(L, &writer->buffer, &err);
  return appended(L, writer, before, ok, &err);
}

/* writer:renumber(record, number, seed) -> bytes of the line | nil, message, err
 *   [-0, +1|3, v] */
static int writer_renumber(lua_State *L)
{
  struct writer *writer = check_writer(L);
  struct ba_error err;
  size_t length, before = writer->buffer.length;
  uint64_t old, number = ba_check_record_number(L, 3);
  const char *line = luaL_checklstring(L, 2, &length);
  uint32_t seed = ba_check_seed(L, 4);
  if(!ba_record_check(line, length, seed, &old))
    return ba_push_broken_record(L);
  bool ok = ba_file_sound(writer->file, &err) &&
            ba_record_renumber(&writer->buffer, line, length, number, seed, &err);
  if(!ok)
    writer->buffer.length = before;
  return appended(L, writer, before, ok, &err);
}

/* writer:write(bytes) -> true | nil, message, err   [-0, +1|3, v] */
static int writer_write(lua_State *L)
{
  struct writer *writer = check_writer(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  struct ba_error err;
  bool ok;
  if(!ba_file_sound(writer->file, &err))
    return ba_fail(L, &err);
  if(length > BUFFER_BYTES / 2 && !writer->deferred)
    ok = flush(writer, &err) && ba_file_write(writer->file, bytes, length, &err);
  else
    ok = ba_buffer_append(&writer->buffer, bytes, length, &err);
  if(ok) {
    writer->bytes += length;
    ok = flush_if_due(writer, &err);
  }
  return push_true(L, ok, &err);
}

/* writer:bytes() -> bytes in the file once all is written   [-0, +1, v] */
static int writer_bytes(lua_State *L)
{
  ba_push_integer(L, (int64_t)check_writer(L)->bytes);
  return 1;
}

/* writer:full() -> boolean: deferred, and a flush is due   [-0, +1, v] */
static int writer_full(lua_State *L)
{
  lua_pushboolean(L, check_writer(L)->buffer.length >= FLUSH_BYTES);
  return 1;
}

/* writer:flush() -> true | nil, message, err   [-0, +1|3, v] */
static int writer_flush(lua_State *L)
{
  struct ba_error err;
  return push_true(L, flush(check_direct(L), &err), &err);
}

/* writer:sync() -> true | nil, message, err: it is on the disk   [-0, +1|3, v] */
static int writer_sync(lua_State *L)
{
  struct writer *writer = check_direct(L);
  struct ba_error err;
  return push_true(L, flush(writer, &err) && ba_file_sync(writer->file, &err), &err);
}

static bool close_writer(struct writer *writer, struct ba_error *err)
{
  struct ba_file *file = writer->file;
  if(!file)
    return true;
  bool flushed = flush(writer, err);
  writer->file = NULL;
  bool closed = ba_file_close(file, flushed ? err : NULL);
  ba_file_release(file);
  ba_buffer_free(&writer->buffer);
  return flushed && closed;
}

/* writer:close() -> true | nil, message, err   [-0, +1|3, v] */
static int writer_close(lua_State *L)
{
  struct ba_error err;
  struct writer *writer = to_writer(L);
  if(writer->file)
    check_direct(L);
  return push_true(L, close_writer(writer, &err), &err);
}

/* What a deferred one still holds goes the way of what it gave before: behind
 * it, on the file thread. */
static int writer_gc(lua_State *L)
{
  struct writer *writer = to_writer(L);
  if(writer->file && writer->deferred) {
    struct ba_file *file = writer->file;
    writer->file = NULL;
    ba_work_close(file, &writer->buffer);
  } else {
    close_writer(writer, NULL);
  }
  return 0;
}

struct ba_file *ba_writer_give(lua_State *L, int index, bool closing, struct ba_buffer *bytes)
{
  struct writer *writer = luaL_checkudata(L, index, WRITER);
  luaL_argcheck(L, writer->file, index, "the writer is closed");
  luaL_argcheck(L, writer->deferred, index, "the writer is not deferred");
  struct ba_file *file = writer->file;
  *bytes = writer->buffer;
  ba_buffer_init(&writer->buffer, BUFFER_BYTES);
  if(closing)
    writer->file = NULL;
  else
    ba_file_retain(file);
  return file;
}

void ba_push_writer(lua_State *L, struct ba_file **file)
{
  struct writer *writer = ba_new_userdata(L, sizeof(*writer), WRITER);
  ba_buffer_init(&writer->buffer, BUFFER_BYTES);
  writer->deferred = true;
  writer->bytes = ba_file_start(*file);
  writer->file = *file;
  *file = NULL;
}

static int writer_tostring(lua_State *L)
{
  struct writer *writer = to_writer(L);
  if(writer->file)
    lua_pushfstring(L, WRITER " (%s)", ba_file_path(writer->file));
  else
    lua_pushliteral(L, WRITER " (closed)");
  return 1;
}

bool ba_writer_options(lua_State *L, int index)
{
  if(lua_isnoneornil(L, index))
    return false;
  luaL_checktype(L, index, LUA_TTABLE);
  bool append = false;
  lua_pushnil(L);
  while(lua_next(L, index)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    if(strcmp(name, "append") != 0)
      luaL_error(L, "unknown option '%s' (known: append)", name);
    if(lua_type(L, -1) != LUA_TBOOLEAN)
      luaL_error(L, "append must be true or false");
    append = lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  return append;
}

/* core.writer([disk,] name [, { append = }]) -> writer | nil, message, err
 *   [-0, +1|3, v] */
static int writer_new(lua_State *L)
{
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  const char *name = luaL_checkstring(L, at);
  bool append = ba_writer_options(L, at + 1);
  struct writer *writer = ba_new_userdata(L, sizeof(*writer), WRITER);
  struct ba_error err;
  ba_buffer_init(&writer->buffer, BUFFER_BYTES);
  writer->file = ba_file_open(disk, name, append ? BA_FILE_APPEND : BA_FILE_WRITE, &err);
  if(!writer->file)
    return ba_fail(L, &err);
  writer->bytes = ba_file_start(writer->file);
  return 1;
}

/* ---- lock -------------------------------------------------------------- */

struct lock {
  struct ba_file_lock *held; /* NULL: released */
};

/* lock:release()   [-0, +0, v] */
static int lock_release(lua_State *L)
{
  struct lock *lock = luaL_checkudata(L, 1, LOCK);
  struct ba_file_lock *held = lock->held;
  lock->held = NULL;
  ba_file_unlock(held);
  return 0;
}

static int lock_tostring(lua_State *L)
{
  struct lock *lock = luaL_checkudata(L, 1, LOCK);
  lua_pushstring(L, lock->held ? LOCK " (held)" : LOCK " (released)");
  return 1;
}

/* core.fs.lock([disk,] name) -> lock | nil, message, err (locked: err.pid)
 *   [-0, +1|3, v] */
static int fs_lock(lua_State *L)
{
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  const char *name = luaL_checkstring(L, at);
  struct lock *lock = ba_new_userdata(L, sizeof(*lock), LOCK);
  struct ba_error err;
  long holder;
  lock->held = ba_file_lock(disk, name, &holder, &err);
  if(lock->held)
    return 1;
  int count = ba_fail(L, &err);
  if(holder) {
    ba_push_integer(L, holder);
    lua_setfield(L, -2, "pid");
  }
  return count;
}

/* ---- sha256, random ----------------------------------------------------- */

struct sha256 {
  struct ba_sha256 *hash;
};

/* hash:update(bytes) -> hash   [-0, +1, v] */
static int sha256_update(lua_State *L)
{
  struct sha256 *sha256 = luaL_checkudata(L, 1, SHA256);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  struct ba_error err;
  if(!ba_sha256_update(sha256->hash, bytes, length, &err))
    return luaL_error(L, "%s", err.message);
  lua_settop(L, 1);
  return 1;
}

/* hash:hex() -> string of 64 digits; more may follow   [-0, +1, v] */
static int sha256_hex(lua_State *L)
{
  struct sha256 *sha256 = luaL_checkudata(L, 1, SHA256);
  char text[BA_SHA256_HEX];
  struct ba_error err;
  if(!ba_sha256_hex(sha256->hash, text, &err))
    return luaL_error(L, "%s", err.message);
  lua_pushstring(L, text);
  return 1;
}

static int sha256_gc(lua_State *L)
{
  struct sha256 *sha256 = luaL_checkudata(L, 1, SHA256);
  struct ba_sha256 *hash = sha256->hash;
  sha256->hash = NULL;
  ba_sha256_free(hash);
  return 0;
}

/* core.sha256() -> hash   [-0, +1, e] */
static int sha256_new(lua_State *L)
{
  struct sha256 *sha256 = ba_new_userdata(L, sizeof(*sha256), SHA256);
  struct ba_error err;
  sha256->hash = ba_sha256_new(&err);
  if(!sha256->hash)
    return luaL_error(L, "%s", err.message);
  return 1;
}

/* core.random(n) -> n random bytes in hexadecimal   [-0, +1, v] */
static int random_hex(lua_State *L)
{
  enum { MOST = 64 };
  unsigned char bytes[MOST];
  char text[2 * MOST];
  lua_Number wanted = luaL_checknumber(L, 1);
  luaL_argcheck(L, wanted >= 1 && wanted <= MOST, 1, "from 1 to 64 bytes");
  size_t length = (size_t)wanted;
  struct ba_error err;
  if(!ba_random(bytes, length, &err))
    return luaL_error(L, "%s", err.message);
  for(size_t i = 0; i < length; i++) {
    text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
    text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
  }
  lua_pushlstring(L, text, 2 * length);
  return 1;
}

void ba_open_files(lua_State *L)
{
  static const luaL_Reg writer_methods[] = {
      {"encode", writer_encode}, {"write", writer_write},
      {"record", writer_record}, {"renumber", writer_renumber},
      {"bytes", writer_bytes},   {"full", writer_full},
      {"flush", writer_flush},   {"sync", writer_sync},
      {"close", writer_close},   {NULL, NULL}};
  static const luaL_Reg writer_meta[] = {
      {"__gc", writer_gc}, {"__tostring", writer_tostring}, {NULL, NULL}};
  static const luaL_Reg lock_methods[] = {{"release", lock_release}, {NULL, NULL}};
  static const luaL_Reg lock_meta[] = {
      {"__gc", lock_release}, {"__tostring", lock_tostring}, {NULL, NULL}};
  static const luaL_Reg sha256_methods[] = {
      {"update", sha256_update}, {"hex", sha256_hex}, {NULL, NULL}};
  static const luaL_Reg sha256_meta[] = {{"__gc", sha256_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"writer", writer_new}, {"sha256", sha256_new}, {"random", random_hex}, {NULL, NULL}};
  ba_new_type(L, WRITER, writer_methods, writer_meta);
  ba_new_type(L, LOCK, lock_methods, lock_meta);
  ba_new_type(L, SHA256, sha256_methods, sha256_meta);
  ba_set_functions(L, functions);
  lua_newtable(L);
  ba_open_fs(L);
  lua_pushcfunction(L, fs_lock);
  lua_setfield(L, -2, "lock");
  lua_setfield(L, -2, "fs");
}
