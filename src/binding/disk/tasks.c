/* The kinds of work for the file thread. */
#include "binding/disk/task.h"

#include "batchapi/alloc.h"
#include "binding/base/compat.h"
#include "binding/disk/file_handles.h"

#include <string.h>

enum { CHUNK = 256 << 10, PATH_BYTES = 8192 };

static void prepare_flush(lua_State *L, struct ba_task *task);
static void prepare_close(lua_State *L, struct ba_task *task);

void ba_task_free(void *data)
{
  struct ba_task *task = data;
  if(!task)
    return;
  /* bytes that never came to be written leave a hole in the file */
  if(task->kind->prepare == prepare_flush || task->kind->prepare == prepare_close) {
    if(task->bytes.length)
      ba_file_spoil(task->file);
  }
  ba_file_release(task->file);
  ba_disk_release(task->disk);
  ba_buffer_wipe(&task->bytes);
  ba_free(task->path);
  ba_free(task->to);
  ba_free(task->offsets);
  ba_free(task);
}

bool ba_task_run(void *data, struct ba_error *err)
{
  struct ba_task *task = data;
  return task->kind->run(task, err);
}

static int raise_nomem(lua_State *L)
{
  return luaL_error(L, "not enough memory");
}

static char *copy_text(lua_State *L, const char *text)
{
  char *copy = ba_strdup(text);
  if(!copy)
    raise_nomem(L);
  return copy;
}

static char *copy_path(lua_State *L, int index)
{
  return copy_text(L, luaL_checkstring(L, index));
}

static uint64_t check_size(lua_State *L, int index)
{
  int64_t size;
  luaL_argcheck(L, ba_to_integer(L, index, &size) && size >= 0, index,
                "a whole number of bytes expected");
  return (uint64_t)size;
}

/* ---- files --------------------------------------------------------------- */

static void prepare_writer(lua_State *L, struct ba_task *task)
{
  task->append = ba_writer_options(L, 4);
  task->path = copy_path(L, 3);
}

static bool run_writer(struct ba_task *task, struct ba_error *err)
{
  task->file =
      ba_file_open(task->disk, task->path, task->append ? BA_FILE_APPEND : BA_FILE_WRITE, err);
  return task->file != NULL;
}

static int push_writer(lua_State *L, struct ba_task *task)
{
  ba_push_writer(L, &task->file);
  return 1;
}

static void prepare_reader(lua_State *L, struct ba_task *task)
{
  ba_reader_options(L, 4, &task->max_line, &task->number);
  task->path = copy_path(L, 3);
}

static bool run_reader(struct ba_task *task, struct ba_error *err)
{
  task->file = ba_file_open(task->disk, task->path, BA_FILE_READ, err);
  if(task->file)
    ba_file_seek(task->file, task->number);
  return task->file != NULL;
}

static int push_reader(lua_State *L, struct ba_task *task)
{
  ba_push_reader(L, &task->file, task->max_line, task->number);
  return 1;
}

static void prepare_flush(lua_State *L, struct ba_task *task)
{
  task->file = ba_writer_give(L, 3, false, &task->bytes);
}

static void prepare_close(lua_State *L, struct ba_task *task)
{
  task->file = ba_writer_give(L, 3, true, &task->bytes);
}

static bool run_flush(struct ba_task *task, struct ba_error *err)
{
  bool ok = ba_file_write(task->file, task->bytes.bytes, task->bytes.length, err);
  ba_buffer_free(&task->bytes);
  return ok;
}

static bool run_sync(struct ba_task *task, struct ba_error *err)
{
  return run_flush(task, err) && ba_file_sync(task->file, err);
}

static bool run_close(struct ba_task *task, struct ba_error *err)
{
  bool flushed = run_flush(task, err);
  return ba_file_close(task->file, flushed ? err : NULL) && flushed;
}

static void prepare_fill(lua_State *L, struct ba_task *task)
{
  task->file = ba_reader_begin_fill(L, 3);
}

static bool run_fill(struct ba_task *task, struct ba_error *err)
{
  size_t length;
  ba_buffer_init(&task->bytes, CHUNK);
  if(!ba_buffer_reserve(&task->bytes, CHUNK, err) ||
     !ba_file_read(task->file, task->bytes.bytes, CHUNK, &length, err))
    return false;
  task->bytes.length = length;
  task->bytes.bytes[length] = '\0';
  return true;
}

static int push_fill(lua_State *L, struct ba_task *task)
{
  (void)task;
  return luaL_error(L, "the result of \"fill\" is taken by reader:take(work)");
}

/* ---- paths --------------------------------------------------------------- */

static void prepare_path(lua_State *L, struct ba_task *task)
{
  task->path = copy_path(L, 3);
}

static void prepare_two_paths(lua_State *L, struct ba_task *task)
{
  task->path = copy_path(L, 3);
  task->to = copy_path(L, 4);
}

static void prepare_path_and_size(lua_State *L, struct ba_task *task)
{
  task->number = check_size(L, 4);
  task->path = copy_path(L, 3);
}

static void prepare_path_and_limit(lua_State *L, struct ba_task *task)
{
  task->number = lua_isnoneornil(L, 4) ? UINT64_MAX : check_size(L, 4);
  task->path = copy_path(L, 3);
}

static void prepare_replace(lua_State *L, struct ba_task *task)
{
  size_t length;
  const char *bytes = luaL_checklstring(L, 4, &length);
  ba_buffer_init(&task->bytes, length);
  if(!ba_buffer_append(&task->bytes, bytes, length, NULL))
    raise_nomem(L);
  task->path = copy_path(L, 3);
}

static void prepare_lines(lua_State *L, struct ba_task *task)
{
  task->offsets = ba_calloc(BA_OFFSETS_MAX, sizeof(*task->offsets));
  if(!task->offsets)
    raise_nomem(L);
  task->count = ba_check_offsets(L, 4, task->offsets);
  task->path = copy_path(L, 3);
}

static void prepare_mkdir(lua_State *L, struct ba_task *task)
{
  task->number = (uint64_t)luaL_optnumber(L, 4, 0777);
  task->path = copy_path(L, 3);
}

static void prepare_list(lua_State *L, struct ba_task *task)
{
  if(!task->disk)
    task->path = copy_path(L, 3);
}

static void prepare_disk(lua_State *L, struct ba_task *task)
{
  ba_disk_options_of(L, 4, &task->options);
  task->to = task->options.mark ? copy_text(L, task->options.mark) : NULL;
  task->options.mark = task->to;
  task->path = copy_path(L, 3);
}

static void prepare_tmpfile(lua_State *L, struct ba_task *task)
{
  if(!lua_isnoneornil(L, 3))
    task->path = copy_path(L, 3);
}

static bool run_rename(struct ba_task *task, struct ba_error *err)
{
  return ba_fs_rename(task->disk, task->path, task->to, err);
}

static bool run_mkdir(struct ba_task *task, struct ba_error *err)
{
  return ba_fs_mkdir(task->path, (unsigned)task->number, err);
}

static bool run_unlink(struct ba_task *task, struct ba_error *err)
{
  return ba_fs_unlink(task->disk, task->path, err);
}

static bool run_rmdir(struct ba_task *task, struct ba_error *err)
{
  return ba_fs_rmdir(task->path, err);
}

static bool run_truncate(struct ba_task *task, struct ba_error *err)
{
  return ba_fs_truncate(task->disk, task->path, task->number, err);
}

static bool run_sync_dir(struct ba_task *task, struct ba_error *err)
{
  return ba_fs_sync_directory(task->path, err);
}

static bool run_replace(struct ba_task *task, struct ba_error *err)
{
  return ba_fs_replace(task->disk, task->path, task->bytes.bytes, task->bytes.length, err);
}

static bool run_stat(struct ba_task *task, struct ba_error *err)
{
  return ba_fs_stat(task->disk, task->path, &task->stat, err);
}

static int push_stat(lua_State *L, struct ba_task *task)
{
  ba_push_stat(L, &task->stat);
  return 1;
}

static bool run_sha256(struct ba_task *task, struct ba_error *err)
{
  return ba_fs_sha256(task->disk, task->path, task->number, task->hex, err);
}

static int push_hex(lua_State *L, struct ba_task *task)
{
  lua_pushstring(L, task->hex);
  return 1;
}

static bool run_read(struct ba_task *task, struct ba_error *err)
{
  ba_buffer_init(&task->bytes,
                 task->number < BA_READ_MAX_BYTES ? (size_t)task->number : BA_READ_MAX_BYTES);
  return ba_fs_read(task->disk, task->path, &task->bytes, err);
}

static bool run_lines(struct ba_task *task, struct ba_error *err)
{
  ba_buffer_init(&task->bytes, BA_READ_MAX_BYTES);
  return ba_fs_lines(task->disk, task->path, task->offsets, task->count, &task->bytes, err);
}

static bool run_list(struct ba_task *task, struct ba_error *err)
{
  ba_buffer_init(&task->bytes, BA_READ_MAX_BYTES);
  return task->disk ? ba_fs_list(task->disk, &task->bytes, err)
                    : ba_fs_list_directory(task->path, &task->bytes, err);
}

static int push_names(lua_State *L, struct ba_task *task)
{
  ba_push_names(L, &task->bytes);
  return 1;
}

static bool run_disk(struct ba_task *task, struct ba_error *err)
{
  task->disk = ba_disk_open(task->path, &task->options, err);
  return task->disk != NULL;
}

static int push_disk(lua_State *L, struct ba_task *task)
{
  ba_push_disk(L, &task->disk);
  return 1;
}

static bool run_tmpfile(struct ba_task *task, struct ba_error *err)
{
  ba_buffer_init(&task->bytes, PATH_BYTES);
  return ba_fs_temporary(task->path, &task->bytes, err);
}

static int push_bytes(lua_State *L, struct ba_task *task)
{
  lua_pushlstring(L, task->bytes.length ? task->bytes.bytes : "", task->bytes.length);
  ba_buffer_wipe(&task->bytes);
  return 1;
}

const struct ba_task_kind ba_task_close = {"close", prepare_close, run_close, NULL};

static const struct ba_task_kind kinds[] = {
    {"writer", prepare_writer, run_writer, push_writer},
    {"reader", prepare_reader, run_reader, push_reader},
    {"flush", prepare_flush, run_flush, NULL},
    {"sync", prepare_flush, run_sync, NULL},
    {"close", prepare_close, run_close, NULL},
    {"fill", prepare_fill, run_fill, push_fill},
    {"rename", prepare_two_paths, run_rename, NULL},
    {"mkdir", prepare_mkdir, run_mkdir, NULL},
    {"unlink", prepare_path, run_unlink, NULL},
    {"rmdir", prepare_path, run_rmdir, NULL},
    {"truncate", prepare_path_and_size, run_truncate, NULL},
    {"sync_dir", prepare_path, run_sync_dir, NULL},
    {"replace", prepare_replace, run_replace, NULL},
    {"stat", prepare_path, run_stat, push_stat},
    {"sha256", prepare_path_and_limit, run_sha256, push_hex},
    {"read", prepare_path_and_limit, run_read, push_bytes},
    {"lines", prepare_lines, run_lines, push_bytes},
    {"list", prepare_list, run_list, push_names},
    {"disk", prepare_disk, run_disk, push_disk},
    {"tmpfile", prepare_tmpfile, run_tmpfile, push_bytes},
};

const struct ba_task_kind *ba_task_kind(lua_State *L, const char *name)
{
  for(size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
    if(strcmp(kinds[i].name, name) == 0)
      return &kinds[i];
  }
  luaL_error(L, "unknown work '%s'", name);
  return NULL;
}

bool ba_task_is_fill(const struct ba_task *task)
{
  return task->kind->push == push_fill;
}
