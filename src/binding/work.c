/* core.work(mailbox, what, …): one piece for the file thread (src/core/work.h),
 * a thing that loop.await() takes like a call. */
#include "binding.h"

#include "alloc.h"
#include "compat.h"
#include "file_handles.h"
#include "hash.h"
#include "park.h"
#include "work.h"

#include <string.h>

#define WORK "batchapi.work"

enum { CHUNK = 256 << 10, PATH_BYTES = 8192 };

/* What a piece works on. Lua's thread fills it before the start and reads it
 * when the piece is done; between the two it is the file thread's. */
struct task {
  const struct kind *kind;
  struct ba_file *file;
  struct ba_buffer bytes;
  char *path, *to;
  uint64_t number; /* of bytes: size, offset, length */
  uint64_t *offsets;
  size_t count; /* of those */
  size_t max_line;
  bool append;
  struct ba_stat stat;
  char hex[BA_SHA256_HEX];
};

struct kind {
  const char *name;
  void (*prepare)(lua_State *L, struct task *task);     /* arguments from 3 on; may raise */
  bool (*run)(struct task *task, struct ba_error *err); /* on the file thread */
  int (*push)(lua_State *L, struct task *task);         /* NULL: true */
};

struct box {
  struct task *task;    /* owned until it is started, then the work's */
  struct ba_work *work; /* NULL: not started */
  struct ba_parked parked;
  bool taken;
};

static void prepare_flush(lua_State *L, struct task *task);
static void prepare_close(lua_State *L, struct task *task);

static void task_free(void *data)
{
  struct task *task = data;
  if(!task)
    return;
  /* bytes that never came to be written leave a hole in the file */
  if(task->kind->prepare == prepare_flush || task->kind->prepare == prepare_close) {
    if(task->bytes.length)
      ba_file_spoil(task->file);
  }
  ba_file_release(task->file);
  ba_buffer_wipe(&task->bytes);
  ba_free(task->path);
  ba_free(task->to);
  ba_free(task->offsets);
  ba_free(task);
}

static bool task_run(void *data, struct ba_error *err)
{
  struct task *task = data;
  return task->kind->run(task, err);
}

static int raise_nomem(lua_State *L)
{
  return luaL_error(L, "not enough memory");
}

static char *copy_path(lua_State *L, int index)
{
  char *copy = ba_strdup(luaL_checkstring(L, index));
  if(!copy)
    raise_nomem(L);
  return copy;
}

static uint64_t check_size(lua_State *L, int index)
{
  int64_t size;
  luaL_argcheck(L, ba_to_integer(L, index, &size) && size >= 0, index,
                "a whole number of bytes expected");
  return (uint64_t)size;
}

/* ---- files --------------------------------------------------------------- */

static void prepare_writer(lua_State *L, struct task *task)
{
  task->append = ba_writer_options(L, 4);
  task->path = copy_path(L, 3);
}

static bool run_writer(struct task *task, struct ba_error *err)
{
  task->file = ba_file_open(task->path, task->append ? BA_FILE_APPEND : BA_FILE_WRITE, err);
  return task->file != NULL;
}

static int push_writer(lua_State *L, struct task *task)
{
  ba_push_writer(L, &task->file);
  return 1;
}

static void prepare_reader(lua_State *L, struct task *task)
{
  ba_reader_options(L, 4, &task->max_line, &task->number);
  task->path = copy_path(L, 3);
}

static bool run_reader(struct task *task, struct ba_error *err)
{
  task->file = ba_file_open(task->path, BA_FILE_READ, err);
  return task->file && (task->number == 0 || ba_file_seek(task->file, task->number, err));
}

static int push_reader(lua_State *L, struct task *task)
{
  ba_push_reader(L, &task->file, task->max_line, task->number);
  return 1;
}

static void prepare_flush(lua_State *L, struct task *task)
{
  task->file = ba_writer_give(L, 3, false, &task->bytes);
}

static void prepare_close(lua_State *L, struct task *task)
{
  task->file = ba_writer_give(L, 3, true, &task->bytes);
}

static bool run_flush(struct task *task, struct ba_error *err)
{
  bool ok = ba_file_write(task->file, task->bytes.bytes, task->bytes.length, err);
  ba_buffer_free(&task->bytes);
  return ok;
}

static bool run_sync(struct task *task, struct ba_error *err)
{
  return run_flush(task, err) && ba_file_sync(task->file, err);
}

static bool run_close(struct task *task, struct ba_error *err)
{
  bool flushed = run_flush(task, err);
  return ba_file_close(task->file, flushed ? err : NULL) && flushed;
}

static void prepare_fill(lua_State *L, struct task *task)
{
  task->file = ba_reader_begin_fill(L, 3);
}

static bool run_fill(struct task *task, struct ba_error *err)
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

static int push_fill(lua_State *L, struct task *task)
{
  (void)task;
  return luaL_error(L, "the result of \"fill\" is taken by reader:take(work)");
}

/* ---- paths --------------------------------------------------------------- */

static void prepare_path(lua_State *L, struct task *task)
{
  task->path = copy_path(L, 3);
}

static void prepare_two_paths(lua_State *L, struct task *task)
{
  task->path = copy_path(L, 3);
  task->to = copy_path(L, 4);
}

static void prepare_path_and_size(lua_State *L, struct task *task)
{
  task->number = check_size(L, 4);
  task->path = copy_path(L, 3);
}

static void prepare_path_and_limit(lua_State *L, struct task *task)
{
  task->number = lua_isnoneornil(L, 4) ? UINT64_MAX : check_size(L, 4);
  task->path = copy_path(L, 3);
}

static void prepare_replace(lua_State *L, struct task *task)
{
  size_t length;
  const char *bytes = luaL_checklstring(L, 4, &length);
  ba_buffer_init(&task->bytes, length);
  if(!ba_buffer_append(&task->bytes, bytes, length, NULL))
    raise_nomem(L);
  task->path = copy_path(L, 3);
}

static void prepare_lines(lua_State *L, struct task *task)
{
  task->offsets = ba_calloc(BA_OFFSETS_MAX, sizeof(*task->offsets));
  if(!task->offsets)
    raise_nomem(L);
  task->count = ba_check_offsets(L, 4, task->offsets);
  task->path = copy_path(L, 3);
}

static void prepare_tmpfile(lua_State *L, struct task *task)
{
  if(!lua_isnoneornil(L, 3))
    task->path = copy_path(L, 3);
}

static bool run_rename(struct task *task, struct ba_error *err)
{
  return ba_fs_rename(task->path, task->to, err);
}

static bool run_mkdir(struct task *task, struct ba_error *err)
{
  return ba_fs_mkdir(task->path, err);
}

static bool run_unlink(struct task *task, struct ba_error *err)
{
  return ba_fs_unlink(task->path, err);
}

static bool run_rmdir(struct task *task, struct ba_error *err)
{
  return ba_fs_rmdir(task->path, err);
}

static bool run_truncate(struct task *task, struct ba_error *err)
{
  return ba_fs_truncate(task->path, task->number, err);
}

static bool run_sync_dir(struct task *task, struct ba_error *err)
{
  return ba_fs_sync_directory(task->path, err);
}

static bool run_replace(struct task *task, struct ba_error *err)
{
  return ba_fs_replace(task->path, task->bytes.bytes, task->bytes.length, err);
}

static bool run_stat(struct task *task, struct ba_error *err)
{
  return ba_fs_stat(task->path, &task->stat, err);
}

static int push_stat(lua_State *L, struct task *task)
{
  ba_push_stat(L, &task->stat);
  return 1;
}

static bool run_sha256(struct task *task, struct ba_error *err)
{
  return ba_fs_sha256(task->path, task->number, task->hex, err);
}

static int push_hex(lua_State *L, struct task *task)
{
  lua_pushstring(L, task->hex);
  return 1;
}

static bool run_read(struct task *task, struct ba_error *err)
{
  ba_buffer_init(&task->bytes,
                 task->number < BA_READ_MAX_BYTES ? (size_t)task->number : BA_READ_MAX_BYTES);
  return ba_fs_read(task->path, &task->bytes, err);
}

static bool run_lines(struct task *task, struct ba_error *err)
{
  ba_buffer_init(&task->bytes, BA_READ_MAX_BYTES);
  return ba_fs_lines(task->path, task->offsets, task->count, &task->bytes, err);
}

static bool run_tmpfile(struct task *task, struct ba_error *err)
{
  ba_buffer_init(&task->bytes, PATH_BYTES);
  return ba_fs_temporary(task->path, &task->bytes, err);
}

static int push_bytes(lua_State *L, struct task *task)
{
  lua_pushlstring(L, task->bytes.length ? task->bytes.bytes : "", task->bytes.length);
  ba_buffer_wipe(&task->bytes);
  return 1;
}

static const struct kind kinds[] = {
    {"writer", prepare_writer, run_writer, push_writer},
    {"reader", prepare_reader, run_reader, push_reader},
    {"flush", prepare_flush, run_flush, NULL},
    {"sync", prepare_flush, run_sync, NULL},
    {"close", prepare_close, run_close, NULL},
    {"fill", prepare_fill, run_fill, push_fill},
    {"rename", prepare_two_paths, run_rename, NULL},
    {"mkdir", prepare_path, run_mkdir, NULL},
    {"unlink", prepare_path, run_unlink, NULL},
    {"rmdir", prepare_path, run_rmdir, NULL},
    {"truncate", prepare_path_and_size, run_truncate, NULL},
    {"sync_dir", prepare_path, run_sync_dir, NULL},
    {"replace", prepare_replace, run_replace, NULL},
    {"stat", prepare_path, run_stat, push_stat},
    {"sha256", prepare_path_and_limit, run_sha256, push_hex},
    {"read", prepare_path_and_limit, run_read, push_bytes},
    {"lines", prepare_lines, run_lines, push_bytes},
    {"tmpfile", prepare_tmpfile, run_tmpfile, push_bytes},
};

/* ---- the userdata -------------------------------------------------------- */

static struct box *check_work(lua_State *L, int index)
{
  struct box *box = luaL_checkudata(L, index, WORK);
  luaL_argcheck(L, box->work, index, "a piece of work that was not started");
  return box;
}

static const struct kind *check_kind(lua_State *L, int index)
{
  const char *name = luaL_checkstring(L, index);
  for(size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
    if(strcmp(kinds[i].name, name) == 0)
      return &kinds[i];
  }
  luaL_error(L, "unknown work '%s'", name);
  return NULL;
}

/* core.work(mailbox, what, …) -> work | nil, message, err   [-0, +1|3, v] */
static int work_new(lua_State *L)
{
  struct ba_mailbox *mailbox = ba_check_mailbox(L, 1);
  const struct kind *kind = check_kind(L, 2);
  lua_settop(L, 5); /* so that an argument left out is nil */
  struct box *box = ba_new_userdata(L, sizeof(*box), WORK);
  struct ba_error err = {0};
  box->task = ba_calloc(1, sizeof(*box->task));
  if(!box->task)
    return raise_nomem(L);
  box->task->kind = kind;
  kind->prepare(L, box->task);
  struct task *task = box->task;
  box->task = NULL; /* the start takes it over, also when it fails */
  box->work = ba_work_start(mailbox, task_run, task_free, task, &err);
  if(!box->work)
    return ba_fail(L, &err);
  box->task = task;
  return 1;
}

static int work_gc(lua_State *L)
{
  struct box *box = luaL_checkudata(L, 1, WORK);
  struct box was = *box;
  if(was.work)
    ba_unpark(L, &box->parked, ba_work_id(was.work));
  memset(box, 0, sizeof(*box));
  if(was.work)
    ba_work_release(was.work);
  else
    task_free(was.task);
  return 0;
}

/* work:id() -> number, in the same space as calls'   [-0, +1, v] */
static int work_id(lua_State *L)
{
  ba_push_integer(L, (int64_t)ba_work_id(check_work(L, 1)->work));
  return 1;
}

/* work:news() -> done: what loop.await() looks at   [-0, +1, v] */
static int work_news(lua_State *L)
{
  lua_pushboolean(L, ba_work_done(check_work(L, 1)->work));
  return 1;
}

/* work:park(mailbox, address, semaphore [, tell]): see call:park()   [-0, +0, e] */
static int work_park(lua_State *L)
{
  struct box *box = check_work(L, 1);
  ba_park(L, &box->parked, ba_work_id(box->work));
  return 0;
}

/* Once: the result of a piece that is done. */
static bool take_result(lua_State *L, int index, struct box *box, struct ba_error *err)
{
  luaL_argcheck(L, !box->taken, index, "its result has been taken");
  luaL_argcheck(L, ba_work_done(box->work), index, "the work is not done");
  box->taken = true;
  return ba_work_result(box->work, err);
}

/* work:result() -> what the direct function returns   [-0, +1|3, v] */
static int work_result(lua_State *L)
{
  struct box *box = check_work(L, 1);
  struct ba_error err;
  if(box->task->kind->push == push_fill)
    return push_fill(L, NULL);
  if(!take_result(L, 1, box, &err))
    return ba_fail(L, &err);
  if(box->task->kind->push)
    return box->task->kind->push(L, box->task);
  lua_pushboolean(L, 1);
  return 1;
}

bool ba_work_take_fill(lua_State *L, int index, const struct ba_file *file, struct ba_buffer *chunk,
                       struct ba_error *err)
{
  struct box *box = check_work(L, index);
  luaL_argcheck(L, box->task->kind->push == push_fill && box->task->file == file, index,
                "not a fill of this reader");
  if(!take_result(L, index, box, err))
    return false;
  *chunk = box->task->bytes;
  ba_buffer_init(&box->task->bytes, 0);
  return true;
}

static int work_tostring(lua_State *L)
{
  struct box *box = luaL_checkudata(L, 1, WORK);
  lua_pushfstring(L, WORK " (%s)", box->work ? box->task->kind->name : "not started");
  return 1;
}

void ba_work_close(struct ba_file *file, struct ba_buffer *bytes)
{
  static const struct kind *const closing = &kinds[4];
  struct task *task = ba_calloc(1, sizeof(*task));
  if(!task) {
    ba_file_release(file);
    ba_buffer_free(bytes);
    return;
  }
  task->kind = closing;
  task->file = file;
  task->bytes = *bytes;
  ba_buffer_init(bytes, bytes->cap);
  ba_work_release(ba_work_start(NULL, task_run, task_free, task, NULL));
}

void ba_open_work(lua_State *L)
{
  static const luaL_Reg methods[] = {{"id", work_id},
                                     {"news", work_news},
                                     {"park", work_park},
                                     {"result", work_result},
                                     {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", work_gc}, {"__tostring", work_tostring}, {NULL, NULL}};
  ba_new_type(L, WORK, methods, metamethods);
  lua_pushcfunction(L, work_new);
  lua_setfield(L, -2, "work");
}
