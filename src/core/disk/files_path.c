#include "batchapi/files.h"

#include "batchapi/alloc.h"
#include "batchapi/hash.h"
#include "disk/disk_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 256 << 10 };

bool ba_fs_stat(struct ba_disk *disk, const char *name, struct ba_stat *out, struct ba_error *err)
{
  void *place;
  const struct ba_disk_ops *ops = ba_disk_ops(disk, &place);
  if(!ba_disk_check(disk, name, err))
    return false;
  int failure = ops->stat(place, name, out);
  return failure == 0 || ba_disk_error(disk, name, failure, err);
}

bool ba_fs_rename(struct ba_disk *disk, const char *from, const char *to, struct ba_error *err)
{
  void *place;
  const struct ba_disk_ops *ops = ba_disk_ops(disk, &place);
  if(!ba_disk_check(disk, from, err) || !ba_disk_check(disk, to, err))
    return false;
  int failure = ops->rename(place, from, to);
  if(failure == 0)
    failure = ops->sync_names(place, to);
  return failure == 0 || ba_disk_error(disk, from, failure, err);
}

bool ba_fs_unlink(struct ba_disk *disk, const char *name, struct ba_error *err)
{
  void *place;
  const struct ba_disk_ops *ops = ba_disk_ops(disk, &place);
  if(!ba_disk_check(disk, name, err))
    return false;
  int failure = ops->unlink(place, name);
  return failure == 0 || ba_disk_error(disk, name, failure, err);
}

bool ba_fs_truncate(struct ba_disk *disk, const char *name, uint64_t size, struct ba_error *err)
{
  void *place;
  intptr_t file;
  const struct ba_disk_ops *ops = ba_disk_ops(disk, &place);
  if(!ba_disk_check(disk, name, err))
    return false;
  int failure = ops->open(place, name, BA_DISK_CHANGE, &file);
  if(failure == 0) {
    failure = ops->truncate(place, file, size);
    if(failure == 0)
      failure = ops->sync(place, file);
    ops->close(place, file);
  }
  return failure == 0 || ba_disk_error(disk, name, failure, err);
}

struct listing {
  struct ba_buffer *out;
  struct ba_error *err;
  bool ok;
};

static bool list_name(void *user, const char *name)
{
  struct listing *listing = user;
  listing->ok = ba_buffer_append(listing->out, name, strlen(name) + 1, listing->err);
  return listing->ok;
}

bool ba_fs_list(struct ba_disk *disk, struct ba_buffer *out, struct ba_error *err)
{
  void *place;
  struct listing listing = {.out = out, .err = err, .ok = true};
  int failure = ba_disk_ops(disk, &place)->list(place, list_name, &listing);
  return listing.ok && (failure == 0 || ba_disk_error(disk, ".", failure, err));
}

bool ba_fs_list_directory(const char *path, struct ba_buffer *out, struct ba_error *err)
{
  struct ba_directory directory = {.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  struct listing listing = {.out = out, .err = err, .ok = true};
  int failure = directory.fd < 0 ? errno : ba_disk_system.list(&directory, list_name, &listing);
  if(directory.fd >= 0)
    close(directory.fd);
  return listing.ok && (failure == 0 || ba_error_errno(err, failure, path));
}

bool ba_fs_sync_directory(const char *path, struct ba_error *err)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int failure = fd < 0 || fsync(fd) != 0 ? errno : 0;
  if(fd >= 0)
    close(fd);
  /* some file systems cannot sync a directory and say so */
  return failure == 0 || (fd >= 0 && failure == EINVAL) || ba_error_errno(err, failure, path);
}

static bool make_one(const char *path, mode_t mode, struct ba_error *err)
{
  struct stat info;
  void *place;
  if(mkdir(path, mode) == 0) {
    int failure = ba_disk_ops(NULL, &place)->sync_names(NULL, path);
    return failure == 0 || ba_error_errno(err, failure, path);
  }
  int failure = errno;
  if(stat(path, &info) == 0)
    return S_ISDIR(info.st_mode) || ba_error_errno(err, ENOTDIR, path);
  return ba_error_errno(err, failure, path);
}

bool ba_fs_mkdir(const char *path, unsigned mode, struct ba_error *err)
{
  char *copy = ba_strdup(path);
  if(!copy)
    return ba_error_nomem(err);
  bool ok = true;
  for(char *at = copy + 1; ok && *copy && *at; at++) {
    if(*at != '/')
      continue;
    *at = '\0';
    ok = make_one(copy, 0777, err);
    *at = '/';
  }
  ba_free(copy);
  return ok && make_one(path, mode, err);
}

bool ba_fs_rmdir(const char *path, struct ba_error *err)
{
  if(rmdir(path) != 0)
    return ba_error_errno(err, errno, path);
  ba_fs_has_gone(path);
  return true;
}

bool ba_fs_read(struct ba_disk *disk, const char *name, struct ba_buffer *out, struct ba_error *err)
{
  struct ba_file *file = ba_file_open(disk, name, BA_FILE_READ, err);
  bool ok = file != NULL;
  size_t got = 1;
  while(ok && got) {
    size_t room = out->cap - out->length;
    char probe[1]; /* at the cap: is there more? */
    if(room == 0) {
      ok = ba_file_read(file, probe, 1, &got, err);
      if(ok && got)
        ok = ba_error_set(err, BA_TOO_LARGE, NULL, "%s: more than %zu bytes", ba_file_path(file),
                          out->cap);
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

static bool write_whole(struct ba_disk *disk, const char *name, const void *bytes, size_t length,
                        struct ba_error *err)
{
  struct ba_file *file = ba_file_open(disk, name, BA_FILE_WRITE, err);
  if(!file)
    return false;
  bool ok = ba_file_write(file, bytes, length, err) && ba_file_sync(file, err) &&
            ba_file_close(file, err);
  ba_file_release(file);
  return ok;
}

bool ba_fs_replace(struct ba_disk *disk, const char *name, const void *bytes, size_t length,
                   struct ba_error *err)
{
  size_t size = strlen(name);
  char *temporary = ba_malloc(size + sizeof(".new"));
  if(!temporary)
    return ba_error_nomem(err);
  memcpy(temporary, name, size);
  memcpy(temporary + size, ".new", sizeof(".new"));
  bool ok =
      write_whole(disk, temporary, bytes, length, err) && ba_fs_rename(disk, temporary, name, err);
  if(!ok)
    ba_fs_unlink(disk, temporary, NULL);
  ba_free(temporary);
  return ok;
}

static bool hash_file(struct ba_file *file, uint64_t length, struct ba_sha256 *hash,
                      struct ba_error *err)
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
    ok = ba_error_set(err, BA_IO, "short", "%s: shorter than what was to be hashed",
                      ba_file_path(file));
  return ok;
}

bool ba_fs_sha256(struct ba_disk *disk, const char *name, uint64_t length, char *out,
                  struct ba_error *err)
{
  struct ba_sha256 *hash = ba_sha256_new(err);
  struct ba_file *file = hash ? ba_file_open(disk, name, BA_FILE_READ, err) : NULL;
  bool ok = file && hash_file(file, length, hash, err) && ba_sha256_hex(hash, out, err);
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
  int fd = mkstemp(path->bytes + start);
  if(fd < 0) {
    path->length = start;
    return ba_error_errno(err, errno, directory);
  }
  close(fd);
  return true;
}
