/* A disk in memory that forgets, as a real one does when the power goes: what
 * was not synced is lost or torn. For the simulator only.
 *
 * A disk outlives the processes that use it. Each process has a mount; when the
 * process dies its mount does too, and whatever it still does fails with EIO. */
#ifndef BA_MEMORY_DISK_H
#define BA_MEMORY_DISK_H

#include "batchapi/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_disk;

struct memory_disk *memory_disk_new(void);
void memory_disk_retain(struct memory_disk *disk);
void memory_disk_release(struct memory_disk *disk);

/* A place for ba_disk_new() with memory_disk_ops; its release gives it back. */
void *memory_disk_mount(struct memory_disk *disk);
extern const struct ba_disk_ops memory_disk_ops;

/* After so many further operations that change something the mount in use dies
 * (0: not). It dies before the operation is done. */
void memory_disk_die_after(struct memory_disk *disk, uint64_t operations);
/* Has the mount died that was made last? */
bool memory_disk_is_dead(const struct memory_disk *disk);
/* The power goes: every mount dies. `choices` is a seed: what of each unsynced
 * piece survives. 0: all of it (the process died, the system did not). */
void memory_disk_crash(struct memory_disk *disk, uint64_t choices);

/* For whoever looks from outside. */
size_t memory_disk_open_files(const struct memory_disk *disk);
uint64_t memory_disk_operations(const struct memory_disk *disk);
bool memory_disk_name(const struct memory_disk *disk, size_t n, const char **name, size_t *size);
bool memory_disk_read(const struct memory_disk *disk, const char *name, const char **bytes,
                      size_t *size);
bool memory_disk_put(struct memory_disk *disk, const char *name, const char *bytes, size_t size);
bool memory_disk_flip(struct memory_disk *disk, const char *name, size_t bit);

#endif
