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

struct ba_task_kind {
  const char *name;
  void (*prepare)(lua_State *L, struct ba_task *task);     /* arguments from 3 on; may raise */
  bool (*run)(struct ba_task *task, struct ba_error *err); /* on the file thread */
  int (*push)(lua_State *L, struct ba_task *task);         /* NULL: true */
};

/* Raises for a name that is none. [-0, +0, v] */
const struct ba_task_kind *ba_task_kind(lua_State *L, const char *name);
extern const struct ba_task_kind ba_task_close; /* of the bytes and the file that are in it */
bool ba_task_is_fill(const struct ba_task *task);

void ba_task_free(void *task); /* NULL is allowed */
bool ba_task_run(void *task, struct ba_error *err);

#endif
