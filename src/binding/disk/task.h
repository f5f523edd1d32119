/* A piece for the file thread: what it works on, and the kinds there are
 * (tasks.c). work.c starts pieces and hands out what they came to. */
#ifndef BA_TASK_H
#define BA_TASK_H

#include "binding/base/binding.h"

#include "batchapi/buffer.h"
#include "batchapi/disk.h"
#include "batchapi/error.h"
#include "batchapi/files.h"
#include "batchapi/hash.h"

#include <stdint.h>

struct ba_task_kind;

/* Lua's thread fills it before the start and reads it when the piece is done;
 * between the two it is the file thread's. */
struct ba_task {
  const struct ba_task_kind *kind;
  struct ba_disk *disk; /* of the names; retained, or NULL: they are paths */
  struct ba_file *file;
  struct ba_buffer bytes;
  char *path, *to;
  uint64_t number; /* of bytes: size, offset, length */
  uint64_t *offsets;
  size_t count; /* of those */
  size_t max_line;
  bool append;
  struct ba_stat stat;
  struct ba_disk_options options;
  char hex[BA_SHA256_HEX];
};

/* What the bytes of a task are: nothing of the file's, meant for it, from it. */
enum ba_task_bytes { BA_TASK_OTHER, BA_TASK_WRITES, BA_TASK_FILLS };

struct ba_task_kind {
  const char *name;
  void (*prepare)(lua_State *L, struct ba_task *task);     /* arguments from 3 on; may raise */
  bool (*run)(struct ba_task *task, struct ba_error *err); /* on the file thread */
  int (*push)(lua_State *L, struct ba_task *task);         /* NULL: true */
  enum ba_task_bytes bytes;
};

/* Starts core.work()'s piece; its arguments stand from 1 to 6. [-0, +1|3, v] */
int ba_start_work(lua_State *L, struct ba_mailbox *mailbox, const struct ba_task_kind *kind);
void ba_open_work_type(lua_State *L); /* [-0, +0, m] */

/* Of the bytes and the file that are in it. */
bool ba_task_flush(struct ba_task *task, struct ba_error *err);
bool ba_task_close(struct ba_task *task, struct ba_error *err);

#endif
