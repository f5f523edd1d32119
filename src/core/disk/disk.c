#include "batchapi/disk.h"

#include "batchapi/alloc.h"
#include "disk/disk_private.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_BYTES = 1024 };

struct ba_disk {
  atomic_uint references;
  const struct ba_disk_ops *ops;
  void *place;
  char path[];
};

struct ba_disk *ba_disk_new(const struct ba_disk_ops *ops, void *place, const char *path,
                            struct ba_error *err)
{
  size_t size = strlen(path) + 1;
  struct ba_disk *disk = ba_malloc(sizeof(*disk) + size);
  if(!disk) {
    if(ops->release)
      ops->release(place);
    ba_error_nomem(err);
    return NULL;
  }
  atomic_init(&disk->references, 1);
  disk->ops = ops;
  disk->place = place;
  memcpy(disk->path, path, size);
  return disk;
}

struct ba_disk *ba_disk_retain(struct ba_disk *disk)
{
  if(disk)
    atomic_fetch_add(&disk->references, 1);
  return disk;
}

void ba_disk_release(struct ba_disk *disk)
{
  if(!disk || atomic_fetch_sub(&disk->references, 1) != 1)
    return;
  if(disk->ops->release)
    disk->ops->release(disk->place);
  ba_free(disk);
}

const char *ba_disk_path(const struct ba_disk *disk)
{
  return disk->path;
}

const struct ba_disk_ops *ba_disk_ops(const struct ba_disk *disk, void **place)
{
  *place = disk ? disk->place : NULL;
  return disk ? disk->ops : &ba_disk_system;
}

int ba_disk_descriptor(const struct ba_disk *disk)
{
  return disk->ops == &ba_disk_system ? ((const struct ba_directory *)disk->place)->fd : -1;
}

const char *ba_disk_label(const struct ba_disk *disk, const char *name, char *out, size_t size)
{
  if(!disk)
    return name;
  size_t length = strlen(disk->path);
  const char *slash = length > 0 && disk->path[length - 1] == '/' ? "" : "/";
  if(snprintf(out, size, "%s%s%s", disk->path, slash, name) >= (int)size)
    return name;
  return out;
}

bool ba_disk_check(const struct ba_disk *disk, const char *name, struct ba_error *err)
{
  if(!disk || (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/')))
    return true;
  return ba_error_errno(err, EINVAL, name);
}

bool ba_disk_error(const struct ba_disk *disk, const char *name, int errnum, struct ba_error *err)
{
  char label[LABEL_BYTES];
  const char *what = ba_disk_label(disk, name, label, sizeof(label));
  if(disk && (errnum == ELOOP || errnum == EMLINK))
    return ba_error_set(err, BA_IO, errnum == ELOOP ? "ELOOP" : "EMLINK",
                        "%s: refused, for it is a link to another file", what);
  return ba_error_errno(err, errnum, what);
}
