/* core.work(mailbox, what, …): one piece for the file thread (batchapi/work.h),
 * a thing that loop.await() takes like a call. */
#include "binding/base/binding.h"

#include "batchapi/alloc.h"
#include "batchapi/work.h"
#include "binding/base/compat.h"
#include "binding/disk/file_handles.h"
#include "binding/disk/task.h"
#include "binding/host/park.h"

#include <string.h>

#define WORK "batchapi.work"

struct box {
  struct ba_task *task; /* owned until it is started, then the work's */
  struct ba_work *work; /* NULL: not started */
  struct ba_parked parked;
  bool taken;
};

/* ---- a task on the thread -------------------------------------------------- */

static void task_free(void *data)
{
  struct ba_task *task = data;
  if(!task)
    return;
  /* bytes that never came to be written leave a hole in the file */
  if(task->kind->bytes == BA_TASK_WRITES && task->bytes.length)
    ba_file_spoil(task->file);
  ba_file_release(task->file);
  ba_disk_release(task->disk);
  ba_buffer_wipe(&task->bytes);
  ba_free(task->path);
  ba_free(task->to);
  ba_free(task->offsets);
  ba_free(task);
}

static bool task_run(void *data, struct ba_error *err)
{
  struct ba_task *task = data;
  return task->kind->run(task, err);
}

bool ba_task_flush(struct ba_task *task, struct ba_error *err)
{
  bool ok = ba_file_write(task->file, task->bytes.bytes, task->bytes.length, err);
  ba_buffer_free(&task->bytes);
  return ok;
}

bool ba_task_close(struct ba_task *task, struct ba_error *err)
{
  bool flushed = ba_task_flush(task, err);
  return ba_file_close(task->file, flushed ? err : NULL) && flushed;
}

/* ---- the userdata -------------------------------------------------------- */

static struct box *check_work(lua_State *L, int index)
{
  struct box *box = luaL_checkudata(L, index, WORK);
  luaL_argcheck(L, box->work, index, "a piece of work that was not started");
  return box;
}

int ba_start_work(lua_State *L, struct ba_mailbox *mailbox, const struct ba_task_kind *kind)
{
  struct box *box = ba_new_userdata(L, sizeof(*box), WORK);
  struct ba_error err = {0};
  box->task = ba_calloc(1, sizeof(*box->task));
  if(!box->task)
    return luaL_error(L, "not enough memory");
  box->task->kind = kind;
  box->task->disk = ba_disk_retain(ba_test_disk(L, 3));
  if(box->task->disk)
    lua_remove(L, 3);
  kind->prepare(L, box->task);
  struct ba_task *task = box->task;
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
  if(box->task->kind->bytes == BA_TASK_FILLS)
    return box->task->kind->push(L, NULL);
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
  luaL_argcheck(L, box->task->kind->bytes == BA_TASK_FILLS && box->task->file == file, index,
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

static bool run_and_free(void *task, struct ba_error *err)
{
  bool ok = task_run(task, err);
  task_free(task);
  return ok;
}

static void keep(void *task)
{
  (void)task; /* run_and_free() frees it */
}

static const struct ba_task_kind closing = {"close", NULL, ba_task_close, NULL, BA_TASK_WRITES};

void ba_work_close(struct ba_file *file, struct ba_buffer *bytes)
{
  struct ba_task *task = ba_calloc(1, sizeof(*task));
  if(!task) {
    ba_file_write(file, bytes->bytes, bytes->length, NULL);
    ba_file_release(file);
    ba_buffer_free(bytes);
    return;
  }
  task->kind = &closing;
  task->file = file;
  task->bytes = *bytes;
  ba_buffer_init(bytes, bytes->cap);
  struct ba_work *work = ba_work_start(NULL, run_and_free, keep, task, NULL);
  if(!work) /* no thread: then here, for these bytes are wanted in the file */
    run_and_free(task, NULL);
  ba_work_release(work);
}

void ba_open_work_type(lua_State *L)
{
  static const luaL_Reg methods[] = {{"id", work_id},
                                     {"news", work_news},
                                     {"park", work_park},
                                     {"result", work_result},
                                     {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", work_gc}, {"__tostring", work_tostring}, {NULL, NULL}};
  ba_new_type(L, WORK, methods, metamethods);
}
