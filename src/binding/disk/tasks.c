/* The kinds of work for the file thread. */
#include "binding/disk/task.h"

#include "batchapi/alloc.h"
#include "binding/base/compat.h"
#include "binding/disk/file_handles.h"

#include <string.h>

enum { CHUNK = 256 << 10, PATH_BYTES = 8192 };

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

static bool run_sync(struct ba_task *task, struct ba_error *err)
{
  return ba_task_flush(task, err) && ba_file_sync(task->file, err);
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

static const struct ba_task_kind kinds[] = {
    {"writer", prepare_writer, run_writer, push_writer, BA_TASK_OTHER},
    {"reader", prepare_reader, run_reader, push_reader, BA_TASK_OTHER},
    {"flush", prepare_flush, ba_task_flush, NULL, BA_TASK_WRITES},
    {"sync", prepare_flush, run_sync, NULL, BA_TASK_WRITES},
    {"close", prepare_close, ba_task_close, NULL, BA_TASK_WRITES},
    {"fill", prepare_fill, run_fill, push_fill, BA_TASK_FILLS},
    {"rename", prepare_two_paths, run_rename, NULL, BA_TASK_OTHER},
    {"mkdir", prepare_mkdir, run_mkdir, NULL, BA_TASK_OTHER},
    {"unlink", prepare_path, run_unlink, NULL, BA_TASK_OTHER},
    {"rmdir", prepare_path, run_rmdir, NULL, BA_TASK_OTHER},
    {"truncate", prepare_path_and_size, run_truncate, NULL, BA_TASK_OTHER},
    {"sync_dir", prepare_path, run_sync_dir, NULL, BA_TASK_OTHER},
    {"replace", prepare_replace, run_replace, NULL, BA_TASK_OTHER},
    {"stat", prepare_path, run_stat, push_stat, BA_TASK_OTHER},
    {"sha256", prepare_path_and_limit, run_sha256, push_hex, BA_TASK_OTHER},
    {"read", prepare_path_and_limit, run_read, push_bytes, BA_TASK_OTHER},
    {"lines", prepare_lines, run_lines, push_bytes, BA_TASK_OTHER},
    {"list", prepare_list, run_list, push_names, BA_TASK_OTHER},
    {"disk", prepare_disk, run_disk, push_disk, BA_TASK_OTHER},
    {"tmpfile", prepare_tmpfile, run_tmpfile, push_bytes, BA_TASK_OTHER},
};

static const struct ba_task_kind *find_kind(lua_State *L, const char *name)
{
  for(size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
    if(strcmp(kinds[i].name, name) == 0)
      return &kinds[i];
  }
  luaL_error(L, "unknown work '%s'", name);
  return NULL;
}

/* core.work(mailbox, what, [disk,] …) -> work | nil, message, err   [-0, +1|3, v] */
static int work_new(lua_State *L)
{
  struct ba_mailbox *mailbox = ba_check_mailbox(L, 1);
  const struct ba_task_kind *kind = find_kind(L, luaL_checkstring(L, 2));
  lua_settop(L, 6); /* so that an argument left out is nil */
  return ba_start_work(L, mailbox, kind);
}

void ba_open_work(lua_State *L)
{
  ba_open_work_type(L);
  lua_pushcfunction(L, work_new);
  lua_setfield(L, -2, "work");
}
