/* How the file thread's pieces (work.c) get at writers and readers. A deferred
 * writer or reader is made by core.work and never touches its file itself. */
#ifndef BA_FILE_HANDLES_H
#define BA_FILE_HANDLES_H

#include "binding/base/binding.h"
#include "binding/base/disk_type.h"

#include "batchapi/buffer.h"
#include "batchapi/disk.h"
#include "batchapi/error.h"
#include "batchapi/files.h"

#include <stdint.h>

/* The disk (ba_test_disk()) of an argument that may be left out: *at is where the next one is
 * then. The userdata stays on the stack and keeps the disk. [-0, +0, v] */
struct ba_disk *ba_disk_argument(lua_State *L, int *at);
/* Pushes a userdata that takes over *disk. [-0, +1, m] */
void ba_push_disk(lua_State *L, struct ba_disk **disk);
/* The options of core.disk at `index`; `mark` stays the table's. [-0, +0, v] */
void ba_disk_options_of(lua_State *L, int index, struct ba_disk_options *options);

/* The options of core.writer (is it to append?) and core.reader at `index`.
 *   [-0, +0, v] each */
bool ba_writer_options(lua_State *L, int index);
void ba_reader_options(lua_State *L, int index, size_t *max_line, uint64_t *offset);

/* Push a deferred one that takes over *file.   [-0, +1, m] each */
void ba_push_writer(lua_State *L, struct ba_file **file);
void ba_push_reader(lua_State *L, struct ba_file **file, size_t max_line, uint64_t offset);

/* What the deferred writer at `index` holds, to *bytes, and a reference to its
 * file; `closing` closes the writer.   [-0, +0, v] */
struct ba_file *ba_writer_give(lua_State *L, int index, bool closing, struct ba_buffer *bytes);

/* A reference to the file of the deferred reader at `index`, which waits for
 * reader:take() from now on.   [-0, +0, v] */
struct ba_file *ba_reader_begin_fill(lua_State *L, int index);
/* What the finished "fill" of that file at `index` has fetched; empty at the
 * end of the file.   [-0, +0, v] */
bool ba_work_take_fill(lua_State *L, int index, const struct ba_file *file, struct ba_buffer *chunk,
                       struct ba_error *err);

enum { BA_OFFSETS_MAX = 1024, BA_READ_MAX_BYTES = 1 << 30 };

/* The whole numbers in the list at `index`, BA_OFFSETS_MAX at most, to *offsets;
 * gives how many.   [-0, +0, v] */
size_t ba_check_offsets(lua_State *L, int index, uint64_t *offsets);

/* The table that fs.stat gives.   [-0, +1, m] */
void ba_push_stat(lua_State *L, const struct ba_stat *info);
/* A list of what ba_fs_list() gave.   [-0, +1, m] */
void ba_push_names(lua_State *L, const struct ba_buffer *names);

/* Appends the record of writer:record()'s arguments, which stand from 2 to 6.
 *   [-0, +0, e] */
bool ba_record_append(lua_State *L, struct ba_buffer *out, struct ba_error *err);
/* Pushes why a line is no record: nil, message, err.   [-0, +3, m] */
int ba_push_broken_record(lua_State *L);
uint32_t ba_check_seed(lua_State *L, int index);          /* [-0, +0, v] */
uint64_t ba_check_record_number(lua_State *L, int index); /* [-0, +0, v] */

/* Writes the bytes and closes the file on the file thread, or here if that
 * cannot be; takes over both. */
void ba_work_close(struct ba_file *file, struct ba_buffer *bytes);

#endif
