#include "batchapi/files.h"

#include "batchapi/alloc.h"
#include "batchapi/forks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 16 };

struct ba_file_lock {
  struct ba_disk *disk; /* retained; or NULL */
  const struct ba_disk_ops *ops;
  void *place;
  intptr_t handle;
  unsigned process; /* that holds it, as ba_forks() tells */
};

static long read_holder(const struct ba_file_lock *lock)
{
  char text[32];
  size_t length;
  if(lock->ops->read(lock->place, lock->handle, 0, text, sizeof(text) - 1, &length) != 0)
    return 0;
  text[length] = '\0';
  long holder = strtol(text, NULL, 10);
  return holder > 0 ? holder : 0;
}

static int write_holder(const struct ba_file_lock *lock)
{
  char text[32];
  size_t length = (size_t)snprintf(text, sizeof(text), "%ld\n", (long)getpid()), put = 0;
  int failure = lock->ops->truncate(lock->place, lock->handle, 0);
  if(failure == 0)
    failure = lock->ops->write(lock->place, lock->handle, text, length, &put);
  return failure == 0 && put < length ? ENOSPC : failure;
}

static bool take(const struct ba_file_lock *lock, const char *name, long *holder,
                 struct ba_error *err)
{
  char buffer[1024];
  int failure = lock->ops->lock(lock->place, lock->handle);
  if(failure == 0)
    failure = write_holder(lock);
  if(failure == 0)
    return true;
  if(failure != EAGAIN)
    return ba_disk_error(lock->disk, name, failure, err);
  const char *label = ba_disk_label(lock->disk, name, buffer, sizeof(buffer));
  *holder = read_holder(lock);
  if(*holder)
    return ba_error_set(err, BA_LOCKED, NULL, "%s: held by process %ld", label, *holder);
  return ba_error_set(err, BA_LOCKED, NULL, "%s: held by another process", label);
}

/* The file may be removed between our opening it and our taking the lock: then
 * it is not the one that others find by its name. */
static bool open_locked(struct ba_file_lock *lock, const char *name, long *holder,
                        struct ba_error *err)
{
  for(int tries = 0; tries < TRIES; tries++) {
    int failure = lock->ops->open(lock->place, name, BA_DISK_LOCK, &lock->handle);
    if(failure)
      return ba_disk_error(lock->disk, name, failure, err);
    bool taken = take(lock, name, holder, err);
    if(taken && lock->ops->is_at(lock->place, lock->handle, name) == 0)
      return true;
    lock->ops->close(lock->place, lock->handle);
    if(!taken)
      return false;
  }
  return ba_error_set(err, BA_LOCKED, NULL, "%s: others keep removing it", name);
}

static void lock_free(struct ba_file_lock *lock)
{
  ba_disk_release(lock->disk);
  ba_free(lock);
}

struct ba_file_lock *ba_file_lock(struct ba_disk *disk, const char *name, long *holder,
                                  struct ba_error *err)
{
  *holder = 0;
  if(!ba_disk_check(disk, name, err))
    return NULL;
  struct ba_file_lock *lock = ba_malloc(sizeof(*lock));
  if(!lock) {
    ba_error_nomem(err);
    return NULL;
  }
  lock->disk = ba_disk_retain(disk);
  lock->process = ba_forks();
  lock->ops = ba_disk_ops(disk, &lock->place);
  if(open_locked(lock, name, holder, err))
    return lock;
  lock_free(lock);
  return NULL;
}

/* The file is emptied while the lock is still held, so that nobody reads the
 * process id of one who has gone; if it cannot be, the next holder overwrites it.
 * In a child of fork the lock is its parent's, who holds it on. */
void ba_file_unlock(struct ba_file_lock *lock)
{
  if(!lock)
    return;
  if(lock->process == ba_forks())
    lock->ops->truncate(lock->place, lock->handle, 0);
  lock->ops->close(lock->place, lock->handle);
  lock_free(lock);
}
