/* What the files of the system's disk share: disk_system.c has the operations,
 * disk_open.c makes a directory one that they can be trusted in. */
#ifndef BA_DISK_PRIVATE_H
#define BA_DISK_PRIVATE_H

#include "batchapi/disk.h"

#include <sys/types.h>

/* The place of a directory of the system. */
struct ba_directory {
  int fd;
  bool group;
};

extern const struct ba_disk_ops ba_disk_system;

#endif
