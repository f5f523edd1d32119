/* Directories that nobody needs when the process has ended. */
#include "batchapi/files.h"

#include "batchapi/alloc.h"
#include "batchapi/forks.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct passing {
  struct passing *next;
  unsigned process; /* whose it is, as ba_forks() tells */
  char path[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct passing *first; /* under the lock */

static void remove_directory(const char *path)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
  struct dirent *entry;
  while(directory && (entry = readdir(directory)) != NULL)
    unlinkat(fd, entry->d_name, 0);
  if(directory)
    closedir(directory);
  else if(fd >= 0)
    close(fd);
  rmdir(path);
}

static void remove_all(void)
{
  if(pthread_mutex_trylock(&lock) != 0)
    return; /* a child of fork that inherited it held */
  for(struct passing *one = first; one; one = one->next) {
    if(one->process == ba_forks())
      remove_directory(one->path);
  }
  pthread_mutex_unlock(&lock);
}

static void watch(void)
{
  atexit(remove_all);
}

void ba_fs_watch_exit(void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch);
}

bool ba_fs_goes_at_exit(const char *path, struct ba_error *err)
{
  size_t size = strlen(path) + 1;
  struct passing *one = ba_malloc(sizeof(*one) + size);
  if(!one)
    return ba_error_nomem(err);
  memcpy(one->path, path, size);
  one->process = ba_forks();
  pthread_mutex_lock(&lock);
  one->next = first;
  first = one;
  pthread_mutex_unlock(&lock);
  return true;
}

void ba_fs_has_gone(const char *path)
{
  struct passing *found;
  pthread_mutex_lock(&lock);
  struct passing **link = &first;
  while(*link && strcmp((*link)->path, path) != 0)
    link = &(*link)->next;
  found = *link;
  if(found)
    *link = found->next;
  pthread_mutex_unlock(&lock);
  ba_free(found);
}
