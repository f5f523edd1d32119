#include "wire/place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

bool ba_place_of(const struct ba_disk *disk, const char *path, struct ba_place *out,
                 struct ba_error *err)
{
  *out = (struct ba_place){AT_FDCWD, path};
  if(!disk)
    return true;
  const char *directory = ba_disk_path(disk);
  size_t length = strlen(directory);
  out->at = ba_disk_descriptor(disk);
  if(out->at < 0 || strncmp(path, directory, length) != 0 || path[length] != '/')
    return ba_error_set(err, BA_INVALID, "disk", "%s: not a file of %s", path, directory);
  out->name = path + length + 1;
  return ba_disk_check(disk, out->name, err);
}

static int open_on(const struct ba_disk *disk, const char *name, enum ba_disk_mode mode)
{
  void *place;
  intptr_t file = -1;
  errno = ba_disk_ops(disk, &place)->open(place, name, mode, &file);
  return errno ? -1 : (int)file;
}

int ba_place_read(const struct ba_disk *disk, const struct ba_place *place)
{
  /* without O_NONBLOCK a pipe would be waited for, until somebody writes */
  return disk ? open_on(disk, place->name, BA_DISK_READ)
              : open(place->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

int ba_place_write(const struct ba_disk *disk, const struct ba_place *place)
{
  return disk ? open_on(disk, place->name, BA_DISK_LOCK)
              : open(place->name, O_WRONLY | O_CLOEXEC | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0666);
}
