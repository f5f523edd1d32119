#include "files.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 16 };

struct ba_file_lock {
  int fd;
};

static long read_holder(int fd)
{
  char text[32];
  ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
  if(length <= 0)
    return 0;
  text[length] = '\0';
  long holder = strtol(text, NULL, 10);
  return holder > 0 ? holder : 0;
}

static bool write_holder(int fd, const char *path, struct ba_error *err)
{
  char text[32];
  int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
  if(ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
    return ba_error_errno(err, errno, path);
  return true;
}

static bool take(int fd, const char *path, long *holder, struct ba_error *err)
{
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int result;
  do {
    result = fcntl(fd, F_OFD_SETLK, &whole);
  } while(result < 0 && errno == EINTR);
  if(result == 0)
    return write_holder(fd, path, err);
  if(errno != EAGAIN && errno != EACCES)
    return ba_error_errno(err, errno, path);
  *holder = read_holder(fd);
  if(*holder)
    return ba_error_set(err, BA_LOCKED, NULL, "%s: held by process %ld", path, *holder);
  return ba_error_set(err, BA_LOCKED, NULL, "%s: held by another process", path);
}

/* Is the file still the one that others find by its name? Its holder may have
 * removed it between our opening it and our taking the lock. */
static bool is_at(int fd, const char *path)
{
  struct stat mine, there;
  return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_dev == there.st_dev &&
         mine.st_ino == there.st_ino;
}

/* The descriptor that holds the lock, or -1. */
static int open_locked(const char *path, long *holder, struct ba_error *err)
{
  for(int tries = 0; tries < TRIES; tries++) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if(fd < 0) {
      ba_error_errno(err, errno, path);
      return -1;
    }
    bool taken = take(fd, path, holder, err);
    if(taken && is_at(fd, path))
      return fd;
    close(fd);
    if(!taken)
      return -1;
  }
  ba_error_set(err, BA_LOCKED, NULL, "%s: others keep removing it", path);
  return -1;
}

struct ba_file_lock *ba_file_lock(const char *path, long *holder, struct ba_error *err)
{
  *holder = 0;
  struct ba_file_lock *lock = ba_malloc(sizeof(*lock));
  if(!lock) {
    ba_error_nomem(err);
    return NULL;
  }
  lock->fd = open_locked(path, holder, err);
  if(lock->fd < 0) {
    ba_free(lock);
    return NULL;
  }
  return lock;
}

/* The file is emptied while the lock is still held, so that nobody reads the
 * process id of one who has gone. */
void ba_file_unlock(struct ba_file_lock *lock)
{
  if(!lock)
    return;
  if(ftruncate(lock->fd, 0) != 0) {
    /* then the next holder overwrites it */
  }
  close(lock->fd);
  ba_free(lock);
}
