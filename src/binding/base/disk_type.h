/* The userdata of a directory (core.disk): made by binding/disk, and given to requests too. */
#ifndef BA_BINDING_DISK_TYPE_H
#define BA_BINDING_DISK_TYPE_H

#include "binding/base/binding.h"
#include "binding/base/compat.h"

#define BA_DISK_TYPE "batchapi.disk"

struct ba_disk;

struct ba_disk_box {
  struct ba_disk *disk; /* NULL: not opened */
};

/* The disk at `index`, or NULL where something else is. [-0, +0, v] */
static inline struct ba_disk *ba_test_disk(lua_State *L, int index)
{
  struct ba_disk_box *box =
      lua_isuserdata(L, index) ? ba_test_userdata(L, index, BA_DISK_TYPE) : NULL;
  luaL_argcheck(L, !box || box->disk, index, "the disk is closed");
  return box ? box->disk : NULL;
}

#endif
