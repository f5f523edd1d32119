/* Files of the system: those of a directory that was opened once, and, where
 * the place is NULL, those at large. */
#include "disk/disk_private.h"

#include "batchapi/alloc.h"
#include "system/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_AT_ONCE = 1 << 24 }; /* write() may take less than it is given anyway */

static int directory_of(void *place)
{
  return place ? ((struct ba_directory *)place)->fd : AT_FDCWD;
}

/* In a directory nothing but its own regular files is opened: a name may have
 * been made a link to somewhere else, or a pipe that never answers. */
static int check_own(const struct ba_directory *directory, int fd, enum ba_disk_mode mode)
{
  struct stat info;
  if(fstat(fd, &info) != 0)
    return errno;
  if(S_ISDIR(info.st_mode))
    return EISDIR;
  if(!directory)
    return 0;
  if(!S_ISREG(info.st_mode))
    return ENOTSUP;
  if(mode != BA_DISK_READ && info.st_nlink > 1)
    return EMLINK;
  bool mine = info.st_uid == geteuid();
  if(!mine && !directory->group)
    return EPERM;
  mode_t loose = directory->group ? 0007 : 0077;
  if(mine && (info.st_mode & loose) && fchmod(fd, info.st_mode & ~loose & 07777) != 0)
    return errno;
  return 0;
}

/* What stands in the way of a new file goes, if it is a file of the directory's own. */
static int make_room(int at, const char *name)
{
  struct stat info;
  if(fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? 0 : errno;
  if(S_ISLNK(info.st_mode))
    return ELOOP;
  if(S_ISDIR(info.st_mode))
    return EISDIR;
  if(!S_ISREG(info.st_mode))
    return ENOTSUP;
  if(info.st_nlink > 1)
    return EMLINK;
  return unlinkat(at, name, 0) == 0 || errno == ENOENT ? 0 : errno;
}

static int system_open(void *place, const char *name, enum ba_disk_mode mode, intptr_t *file)
{
  static const int flags[] = {O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_APPEND,
                              O_WRONLY, O_RDWR | O_CREAT};
  const struct ba_directory *directory = place;
  int how = flags[mode] | O_CLOEXEC;
  mode_t permissions = 0666;
  if(directory) {
    how |= O_NOFOLLOW | O_NONBLOCK;
    permissions = directory->group ? 0660 : 0600;
    if(mode == BA_DISK_CREATE) {
      int failure = make_room(directory->fd, name);
      if(failure)
        return failure;
      how = (how & ~O_TRUNC) | O_EXCL;
    }
  }
  int fd;
  do {
    fd = openat(directory_of(place), name, how, permissions);
  } while(fd < 0 && errno == EINTR);
  if(fd < 0)
    return errno;
  int failure = check_own(directory, fd, mode);
  if(failure)
    close(fd);
  *file = fd;
  return failure;
}

static int system_close(void *place, intptr_t file)
{
  (void)place;
  return close((int)file) == 0 || errno == EINTR ? 0 : errno;
}

static int system_read(void *place, intptr_t file, uint64_t offset, void *out, size_t size,
                       size_t *got)
{
  (void)place;
  ssize_t count;
  do {
    count = offset == BA_DISK_HERE ? read((int)file, out, size)
                                   : pread((int)file, out, size, (off_t)offset);
  } while(count < 0 && errno == EINTR);
  *got = count < 0 ? 0 : (size_t)count;
  return count < 0 ? errno : 0;
}

static int system_write(void *place, intptr_t file, const void *bytes, size_t length, size_t *put)
{
  (void)place;
  ssize_t count;
  do {
    count = write((int)file, bytes, length < WRITE_AT_ONCE ? length : WRITE_AT_ONCE);
  } while(count < 0 && errno == EINTR);
  *put = count < 0 ? 0 : (size_t)count;
  return count > 0 ? 0 : count < 0 ? errno : EIO;
}

static int system_sync(void *place, intptr_t file)
{
  (void)place;
  int result;
  do {
    result = fdatasync((int)file);
  } while(result < 0 && errno == EINTR);
  /* a pipe or terminal has nothing to sync */
  return result == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

static int system_truncate(void *place, intptr_t file, uint64_t size)
{
  (void)place;
  return ftruncate((int)file, (off_t)size) == 0 ? 0 : errno;
}

static int system_size(void *place, intptr_t file, uint64_t *size)
{
  (void)place;
  struct stat info;
  if(fstat((int)file, &info) != 0)
    return errno;
  *size = (uint64_t)info.st_size;
  return 0;
}

static int system_lock(void *place, intptr_t file)
{
  (void)place;
  return ba_lock_file((int)file);
}

static int system_stat_raw(void *place, const char *name, struct stat *info)
{
  return fstatat(directory_of(place), name, info, place ? AT_SYMLINK_NOFOLLOW : 0) == 0 ? 0 : errno;
}

static int system_is_at(void *place, intptr_t file, const char *name)
{
  struct stat mine, there;
  if(fstat((int)file, &mine) != 0)
    return errno;
  int failure = system_stat_raw(place, name, &there);
  if(failure)
    return failure;
  return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino ? 0 : ENOENT;
}

static int system_stat(void *place, const char *name, struct ba_stat *out)
{
  struct stat info;
  int failure = system_stat_raw(place, name, &info);
  if(failure)
    return failure;
  out->size = (uint64_t)info.st_size;
  out->mtime = (double)info.st_mtim.tv_sec + (double)info.st_mtim.tv_nsec / 1e9;
  out->type = S_ISREG(info.st_mode) ? "file" : S_ISDIR(info.st_mode) ? "directory" : "other";
  return 0;
}

static int system_rename(void *place, const char *from, const char *to)
{
  int at = directory_of(place);
  return renameat(at, from, at, to) == 0 ? 0 : errno;
}

static int system_unlink(void *place, const char *name)
{
  return unlinkat(directory_of(place), name, 0) == 0 ? 0 : errno;
}

/* The directory that holds `path`: a copy for the caller to free. */
static char *parent_of(const char *path)
{
  size_t length = strlen(path);
  while(length > 1 && path[length - 1] == '/')
    length--;
  while(length > 0 && path[length - 1] != '/')
    length--;
  while(length > 1 && path[length - 1] == '/')
    length--;
  return length ? ba_strndup(path, length) : ba_strdup(".");
}

static int sync_descriptor(int fd)
{
  /* some file systems cannot sync a directory and say so */
  return fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
}

static int system_sync_names(void *place, const char *name)
{
  if(place)
    return sync_descriptor(directory_of(place));
  char *parent = parent_of(name);
  if(!parent)
    return ENOMEM;
  int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int failure = fd < 0 ? errno : sync_descriptor(fd);
  if(fd >= 0)
    close(fd);
  ba_free(parent);
  return failure;
}

static int system_list(void *place, bool (*each)(void *user, const char *name), void *user)
{
  int fd = openat(directory_of(place), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = fd < 0 ? NULL : fdopendir(fd);
  if(!stream) {
    int failure = errno;
    if(fd >= 0)
      close(fd);
    return failure;
  }
  struct dirent *entry;
  bool more = true;
  errno = 0;
  while(more && (entry = readdir(stream))) {
    if(strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      more = each(user, entry->d_name);
    errno = 0;
  }
  int failure = errno;
  closedir(stream);
  return failure;
}

static void system_release(void *place)
{
  struct ba_directory *directory = place;
  if(!directory)
    return;
  close(directory->fd);
  ba_free(directory);
}

const struct ba_disk_ops ba_disk_system = {
    .open = system_open,
    .close = system_close,
    .read = system_read,
    .write = system_write,
    .sync = system_sync,
    .truncate = system_truncate,
    .size = system_size,
    .lock = system_lock,
    .is_at = system_is_at,
    .stat = system_stat,
    .rename = system_rename,
    .unlink = system_unlink,
    .sync_names = system_sync_names,
    .list = system_list,
    .release = system_release,
};
