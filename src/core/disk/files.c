#include "batchapi/files.h"

#include "batchapi/alloc.h"
#include "batchapi/forks.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { LABEL_BYTES = 1024 };

struct ba_file {
  atomic_uint references;
  struct ba_disk *disk; /* retained; or NULL */
  intptr_t handle;
  unsigned process; /* that opened it, as ba_forks() tells */
  bool open;
  bool piped;      /* it has no offsets */
  bool fresh;      /* perhaps made by its opening: its name may not be on the disk */
  uint64_t start;  /* its length when it was opened */
  uint64_t offset; /* of the next read */
  atomic_bool failed;
  struct ba_error failure; /* of the first write or sync that failed; set before `failed` */
  char path[];
};

/* A failure of the file's own: its path is a label already. */
static bool fail(const struct ba_file *file, int errnum, struct ba_error *err)
{
  return ba_error_errno(err, errnum, file->path);
}

static bool open_file(struct ba_file *file, const char *name, enum ba_file_mode mode,
                      struct ba_error *err)
{
  static const enum ba_disk_mode modes[] = {BA_DISK_READ, BA_DISK_CREATE, BA_DISK_APPEND};
  void *place;
  const struct ba_disk_ops *ops = ba_disk_ops(file->disk, &place);
  if(!ba_disk_check(file->disk, name, err))
    return false;
  int failure = ops->open(place, name, modes[mode], &file->handle);
  file->open = failure == 0;
  if(file->open && mode == BA_FILE_APPEND)
    failure = ops->size(place, file->handle, &file->start);
  file->fresh = mode == BA_FILE_APPEND && file->start == 0;
  return failure == 0 || ba_disk_error(file->disk, name, failure, err);
}

struct ba_file *ba_file_open(struct ba_disk *disk, const char *name, enum ba_file_mode mode,
                             struct ba_error *err)
{
  char buffer[LABEL_BYTES];
  const char *label = ba_disk_label(disk, name, buffer, sizeof(buffer));
  size_t size = strlen(label) + 1;
  struct ba_file *file = ba_calloc(1, sizeof(*file) + size);
  if(!file) {
    ba_error_nomem(err);
    return NULL;
  }
  memcpy(file->path, label, size);
  atomic_init(&file->references, 1);
  file->process = ba_forks();
  file->disk = ba_disk_retain(disk);
  if(open_file(file, name, mode, err))
    return file;
  ba_file_release(file);
  return NULL;
}

struct ba_file *ba_file_retain(struct ba_file *file)
{
  atomic_fetch_add(&file->references, 1);
  return file;
}

static int close_file(struct ba_file *file)
{
  void *place;
  const struct ba_disk_ops *ops = ba_disk_ops(file->disk, &place);
  if(!file->open)
    return 0;
  file->open = false;
  return ops->close(place, file->handle);
}

void ba_file_release(struct ba_file *file)
{
  if(!file || atomic_fetch_sub(&file->references, 1) != 1)
    return;
  close_file(file);
  ba_disk_release(file->disk);
  ba_free(file);
}

const char *ba_file_path(const struct ba_file *file)
{
  return file->path;
}

uint64_t ba_file_start(const struct ba_file *file)
{
  return file->start;
}

static bool is_open(const struct ba_file *file, struct ba_error *err)
{
  return file->open || fail(file, EBADF, err);
}

void ba_file_seek(struct ba_file *file, uint64_t offset)
{
  file->offset = offset;
}

bool ba_file_read(struct ba_file *file, void *out, size_t size, size_t *length,
                  struct ba_error *err)
{
  void *place;
  const struct ba_disk_ops *ops = ba_disk_ops(file->disk, &place);
  if(!is_open(file, err))
    return false;
  int failure = ESPIPE;
  if(!file->piped)
    failure = ops->read(place, file->handle, file->offset, out, size, length);
  if(failure == ESPIPE && (file->piped || file->offset == 0)) {
    file->piped = true;
    failure = ops->read(place, file->handle, BA_DISK_HERE, out, size, length);
  }
  if(failure)
    return fail(file, failure, err);
  file->offset += *length;
  return true;
}

static bool remember(struct ba_file *file, int errnum, struct ba_error *err)
{
  fail(file, errnum, &file->failure);
  atomic_store(&file->failed, true);
  if(err)
    *err = file->failure;
  return false;
}

bool ba_file_sound(struct ba_file *file, struct ba_error *err)
{
  if(!atomic_load(&file->failed))
    return true;
  if(err)
    *err = file->failure;
  return false;
}

void ba_file_spoil(struct ba_file *file)
{
  if(!atomic_load(&file->failed))
    remember(file, ECANCELED, NULL);
}

/* What its parent has in hand a child of fork has too, and must not write again. */
static bool is_own(const struct ba_file *file, struct ba_error *err)
{
  return file->process == ba_forks() ||
         ba_error_set(err, BA_IO, "EBADF",
                      "%s: the process that writes it is the parent of this one", file->path);
}

bool ba_file_write(struct ba_file *file, const void *bytes, size_t length, struct ba_error *err)
{
  void *place;
  const struct ba_disk_ops *ops = ba_disk_ops(file->disk, &place);
  if(!ba_file_sound(file, err) || !is_open(file, err) || !is_own(file, err))
    return false;
  const char *at = bytes;
  while(length) {
    size_t put = 0;
    int failure = ops->write(place, file->handle, at, length, &put);
    if(failure || put == 0)
      return remember(file, failure ? failure : EIO, err);
    at += put;
    length -= put;
  }
  return true;
}

/* A failed fsync has lost data that no second fsync brings back (the kernel
 * drops the pages), so it is remembered too. What was synced must be found
 * again: a file that was made for appending keeps its name (one that is written
 * anew gets its own by a rename, which sees to that). */
bool ba_file_sync(struct ba_file *file, struct ba_error *err)
{
  void *place;
  const struct ba_disk_ops *ops = ba_disk_ops(file->disk, &place);
  if(!ba_file_sound(file, err) || !is_open(file, err))
    return false;
  int failure = ops->sync(place, file->handle);
  if(failure == 0 && file->fresh) /* a disk's names are one directory's: any will do */
    failure = ops->sync_names(place, file->path);
  file->fresh = file->fresh && failure != 0;
  return failure == 0 || remember(file, failure, err);
}

bool ba_file_close(struct ba_file *file, struct ba_error *err)
{
  if(!file->open)
    return true;
  int failure = close_file(file);
  if(failure && !atomic_load(&file->failed))
    return remember(file, failure, err);
  return ba_file_sound(file, err);
}
