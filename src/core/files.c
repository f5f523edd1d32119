#include "files.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_AT_ONCE = 1 << 24 }; /* write() may take less than it is given anyway */

struct ba_file {
  atomic_uint references;
  int fd; /* -1: closed */
  uint64_t start;
  atomic_bool failed;
  struct ba_error failure; /* of the first write or sync that failed; set before `failed` */
  char path[];
};

struct ba_file *ba_file_open(const char *path, enum ba_file_mode mode, struct ba_error *err)
{
  static const int flags[] = {O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC,
                              O_WRONLY | O_CREAT | O_APPEND};
  size_t size = strlen(path) + 1;
  struct ba_file *file = ba_calloc(1, sizeof(*file) + size);
  if(!file) {
    ba_error_nomem(err);
    return NULL;
  }
  memcpy(file->path, path, size);
  atomic_init(&file->references, 1);
  do {
    file->fd = open(path, flags[mode] | O_CLOEXEC, 0666);
  } while(file->fd < 0 && errno == EINTR);
  struct stat info;
  if(file->fd < 0 || fstat(file->fd, &info) != 0) {
    ba_error_errno(err, errno, path);
    ba_file_release(file);
    return NULL;
  }
  if(S_ISDIR(info.st_mode)) {
    ba_error_errno(err, EISDIR, path);
    ba_file_release(file);
    return NULL;
  }
  file->start = mode == BA_FILE_APPEND ? (uint64_t)info.st_size : 0;
  return file;
}

struct ba_file *ba_file_retain(struct ba_file *file)
{
  atomic_fetch_add(&file->references, 1);
  return file;
}

void ba_file_release(struct ba_file *file)
{
  if(!file || atomic_fetch_sub(&file->references, 1) != 1)
    return;
  if(file->fd >= 0)
    close(file->fd);
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
  return file->fd >= 0 || ba_error_errno(err, EBADF, file->path);
}

bool ba_file_seek(struct ba_file *file, uint64_t offset, struct ba_error *err)
{
  if(!is_open(file, err))
    return false;
  return lseek(file->fd, (off_t)offset, SEEK_SET) >= 0 || ba_error_errno(err, errno, file->path);
}

bool ba_file_read(struct ba_file *file, void *out, size_t size, size_t *length,
                  struct ba_error *err)
{
  if(!is_open(file, err))
    return false;
  ssize_t got;
  do {
    got = read(file->fd, out, size);
  } while(got < 0 && errno == EINTR);
  if(got < 0)
    return ba_error_errno(err, errno, file->path);
  *length = (size_t)got;
  return true;
}

static bool remember(struct ba_file *file, int errnum, struct ba_error *err)
{
  ba_error_errno(&file->failure, errnum, file->path);
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

bool ba_file_write(struct ba_file *file, const void *bytes, size_t length, struct ba_error *err)
{
  if(!ba_file_sound(file, err) || !is_open(file, err))
    return false;
  const char *at = bytes;
  while(length) {
    ssize_t put = write(file->fd, at, length < WRITE_AT_ONCE ? length : WRITE_AT_ONCE);
    if(put < 0 && errno == EINTR)
      continue;
    if(put <= 0)
      return remember(file, put < 0 ? errno : EIO, err);
    at += put;
    length -= (size_t)put;
  }
  return true;
}

/* A failed fsync has lost data that no second fsync brings back (the kernel
 * drops the pages), so it is remembered too. */
bool ba_file_sync(struct ba_file *file, struct ba_error *err)
{
  if(!ba_file_sound(file, err) || !is_open(file, err))
    return false;
  int result;
  do {
    result = fdatasync(file->fd);
  } while(result < 0 && errno == EINTR);
  /* a pipe or terminal has nothing to sync */
  if(result < 0 && errno != EINVAL && errno != EROFS)
    return remember(file, errno, err);
  return true;
}

bool ba_file_close(struct ba_file *file, struct ba_error *err)
{
  if(file->fd < 0)
    return true;
  int fd = file->fd;
  file->fd = -1;
  if(close(fd) != 0 && errno != EINTR && !atomic_load(&file->failed))
    return remember(file, errno, err);
  return ba_file_sound(file, err);
}
