#include "files.h"

#include "alloc.h"
#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 256 << 10 };

bool ba_fs_stat(const char *path, struct ba_stat *out, struct ba_error *err)
{
  struct stat info;
  if(stat(path, &info) != 0)
    return ba_error_errno(err, errno, path);
  out->size = (uint64_t)info.st_size;
  out->mtime = (double)info.st_mtim.tv_sec + (double)info.st_mtim.tv_nsec / 1e9;
  out->type = S_ISREG(info.st_mode) ? "file" : S_ISDIR(info.st_mode) ? "directory" : "other";
  return true;
}

static bool sync_descriptor(int fd, const char *path, struct ba_error *err)
{
  int failure = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  /* some file systems cannot sync a directory and say so */
  if(failure && failure != EINVAL)
    return ba_error_errno(err, failure, path);
  return true;
}

bool ba_fs_sync_directory(const char *path, struct ba_error *err)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if(fd < 0)
    return ba_error_errno(err, errno, path);
  return sync_descriptor(fd, path, err);
}

/* The directory that holds `path`: a copy for the caller to free. */
static char *parent_of(const char *path, struct ba_error *err)
{
  size_t length = strlen(path);
  while(length > 1 && path[length - 1] == '/')
    length--;
  while(length > 0 && path[length - 1] != '/')
    length--;
  while(length > 1 && path[length - 1] == '/')
    length--;
  char *parent = length ? ba_strndup(path, length) : ba_strdup(".");
  if(!parent)
    ba_error_nomem(err);
  return parent;
}

static bool sync_parent(const char *path, struct ba_error *err)
{
  char *parent = parent_of(path, err);
  bool ok = parent && ba_fs_sync_directory(parent, err);
  ba_free(parent);
  return ok;
}

bool ba_fs_rename(const char *from, const char *to, struct ba_error *err)
{
  if(rename(from, to) != 0)
    return ba_error_errno(err, errno, from);
  return sync_parent(to, err);
}

static bool make_one(const char *path, struct ba_error *err)
{
  struct stat info;
  if(mkdir(path, 0777) == 0)
    return sync_parent(path, err);
  int failure = errno;
  if(stat(path, &info) == 0 && S_ISDIR(info.st_mode))
    return true;
  return ba_error_errno(err, failure, path);
}

bool ba_fs_mkdir(const char *path, struct ba_error *err)
{
  char *copy = ba_strdup(path);
  if(!copy)
    return ba_error_nomem(err);
  bool ok = true;
  for(char *at = copy + 1; ok && *copy && *at; at++) {
    if(*at != '/')
      continue;
    *at = '\0';
    ok = make_one(copy, err);
    *at = '/';
  }
  ba_free(copy);
  return ok && make_one(path, err);
}

bool ba_fs_unlink(const char *path, struct ba_error *err)
{
  return unlink(path) == 0 || ba_error_errno(err, errno, path);
}

bool ba_fs_rmdir(const char *path, struct ba_error *err)
{
  return rmdir(path) == 0 || ba_error_errno(err, errno, path);
}

bool ba_fs_truncate(const char *path, uint64_t size, struct ba_error *err)
{
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if(fd < 0)
    return ba_error_errno(err, errno, path);
  if(ftruncate(fd, (off_t)size) != 0) {
    ba_error_errno(err, errno, path);
    close(fd);
    return false;
  }
  return sync_descriptor(fd, path, err);
}

bool ba_fs_read(const char *path, struct ba_buffer *out, struct ba_error *err)
{
  struct ba_file *file = ba_file_open(path, BA_FILE_READ, err);
  bool ok = file != NULL;
  size_t got = 1;
  while(ok && got) {
    size_t room = out->cap - out->length;
    char probe[1]; /* at the cap: is there more? */
    if(room == 0) {
      ok = ba_file_read(file, probe, 1, &got, err);
      if(ok && got)
        ok = ba_error_set(err, BA_TOO_LARGE, NULL, "%s: more than %zu bytes", path, out->cap);
      continue;
    }
    room = room < CHUNK ? room : CHUNK;
    ok = ba_buffer_reserve(out, room, err) &&
         ba_file_read(file, out->bytes + out->length, room, &got, err);
    if(ok) {
      out->length += got;
      out->bytes[out->length] = '\0';
    }
  }
  ba_file_release(file);
  return ok;
}

static bool write_whole(const char *path, const void *bytes, size_t length, struct ba_error *err)
{
  struct ba_file *file = ba_file_open(path, BA_FILE_WRITE, err);
  if(!file)
    return false;
  bool ok = ba_file_write(file, bytes, length, err) && ba_file_sync(file, err) &&
            ba_file_close(file, err);
  ba_file_release(file);
  return ok;
}

bool ba_fs_replace(const char *path, const void *bytes, size_t length, struct ba_error *err)
{
  size_t size = strlen(path);
  char *temporary = ba_malloc(size + sizeof(".new"));
  if(!temporary)
    return ba_error_nomem(err);
  memcpy(temporary, path, size);
  memcpy(temporary + size, ".new", sizeof(".new"));
  bool ok = write_whole(temporary, bytes, length, err) && ba_fs_rename(temporary, path, err);
  if(!ok)
    unlink(temporary);
  ba_free(temporary);
  return ok;
}

static bool hash_file(struct ba_file *file, const char *path, uint64_t length,
                      struct ba_sha256 *hash, struct ba_error *err)
{
  unsigned char *chunk = ba_malloc(CHUNK);
  if(!chunk)
    return ba_error_nomem(err);
  bool ok = true;
  size_t got = 1;
  while(ok && length && got) {
    size_t want = length < CHUNK ? (size_t)length : CHUNK;
    ok = ba_file_read(file, chunk, want, &got, err) && ba_sha256_update(hash, chunk, got, err);
    if(ok && length != UINT64_MAX)
      length -= got;
  }
  ba_free(chunk);
  if(ok && length && length != UINT64_MAX)
    ok = ba_error_set(err, BA_IO, "short", "%s: shorter than what was to be hashed", path);
  return ok;
}

bool ba_fs_sha256(const char *path, uint64_t length, char *out, struct ba_error *err)
{
  struct ba_sha256 *hash = ba_sha256_new(err);
  struct ba_file *file = hash ? ba_file_open(path, BA_FILE_READ, err) : NULL;
  bool ok = file && hash_file(file, path, length, hash, err) && ba_sha256_hex(hash, out, err);
  ba_file_release(file);
  ba_sha256_free(hash);
  return ok;
}

bool ba_fs_temporary(const char *directory, struct ba_buffer *path, struct ba_error *err)
{
  if(!directory)
    directory = getenv("TMPDIR");
  if(!directory || !*directory)
    directory = "/tmp";
  size_t start = path->length;
  if(!ba_buffer_printf(path, err, "%s/batchapi-XXXXXX", directory))
    return false;
  int fd = mkostemp(path->bytes + start, O_CLOEXEC);
  if(fd < 0) {
    path->length = start;
    return ba_error_errno(err, errno, directory);
  }
  close(fd);
  return true;
}
