/* The one table of file operations: everything that the core does with files
 * goes through it (files.h: readers, writers, locks, whole files; the file
 * thread runs the same). Above it nothing knows where files lie.
 *
 * A struct ba_disk is a place that holds files, named by one word each: a
 * directory that was opened once (ba_disk_open). NULL in its stead, where
 * files.h allows it, is the file system at large: names are paths then, and
 * links are followed.
 *
 * Whoever wants another place (a simulated one, that loses what was not synced)
 * fills a struct ba_disk_ops and wraps it with ba_disk_new(); nothing else need
 * be known. The rules an implementation keeps:
 *   - Each function returns 0 or an errno. None blocks for long or is
 *     interrupted (EINTR is its own affair).
 *   - `place` is what ba_disk_new() was given; `file` what its open() gave.
 *   - A file may be renamed or removed while it is open, as on POSIX.
 *   - What was written lasts through a power cut once sync() has returned, a
 *     name or its removal once sync_names() has. rename() replaces at once: a
 *     power cut leaves the one file or the other under the name.
 *   - Different files may be worked on by different threads at a time.
 * Counted: a file, a lock, a piece of work each hold the disk they came from. */
#ifndef BA_DISK_H
#define BA_DISK_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

enum ba_disk_mode {
  BA_DISK_READ,
  BA_DISK_CREATE, /* a new, empty file; one of that name that was there is replaced */
  BA_DISK_APPEND, /* made if it is not there; writes go to its end */
  BA_DISK_CHANGE, /* one that is there: to truncate it */
  BA_DISK_LOCK    /* made if it is not there; read, written and locked */
};

struct ba_stat {
  uint64_t size;
  double mtime;     /* seconds since 1970 */
  const char *type; /* "file", "directory", "other" (links too, on a disk) */
};

#define BA_DISK_HERE UINT64_MAX /* as an offset: where the file stands, for pipes */

struct ba_disk_ops {
  int (*open)(void *place, const char *name, enum ba_disk_mode mode, intptr_t *file);
  int (*close)(void *place, intptr_t file);
  /* Up to `size` bytes from `offset` on; *got 0 is the end. ESPIPE: only at BA_DISK_HERE. */
  int (*read)(void *place, intptr_t file, uint64_t offset, void *out, size_t size, size_t *got);
  /* To the end of the file; may take less than it is given, but something. */
  int (*write)(void *place, intptr_t file, const void *bytes, size_t length, size_t *put);
  int (*sync)(void *place, intptr_t file);
  int (*truncate)(void *place, intptr_t file, uint64_t size);
  int (*size)(void *place, intptr_t file, uint64_t *size);
  /* For this opening of the file, until it is closed. EAGAIN: another has it. */
  int (*lock)(void *place, intptr_t file);
  /* Is the file the one that the name stands for now? 0, or ENOENT. */
  int (*is_at)(void *place, intptr_t file, const char *name);

  int (*stat)(void *place, const char *name, struct ba_stat *out);
  int (*rename)(void *place, const char *from, const char *to);
  int (*unlink)(void *place, const char *name);
  /* Of the directory that holds `name`. */
  int (*sync_names)(void *place, const char *name);
  /* Hands every name to `each`, in any order, until that returns false. */
  int (*list)(void *place, bool (*each)(void *user, const char *name), void *user);

  void (*release)(void *place); /* the last reference has gone; NULL: nothing to do */
};

struct ba_disk;

/* `path` is for messages; a copy is kept. On failure `place` is released. */
struct ba_disk *ba_disk_new(const struct ba_disk_ops *ops, void *place, const char *path,
                            struct ba_error *err);
struct ba_disk *ba_disk_retain(struct ba_disk *disk); /* NULL is allowed */
void ba_disk_release(struct ba_disk *disk);           /* NULL is allowed */
const char *ba_disk_path(const struct ba_disk *disk);

/* The operations and the place of a disk; NULL: the file system at large. */
const struct ba_disk_ops *ba_disk_ops(const struct ba_disk *disk, void **place);

/* The descriptor of a directory of the system; -1: it is none. */
int ba_disk_descriptor(const struct ba_disk *disk);

/* NAME as messages say it: with the disk's path before it. Cut if it is long. */
const char *ba_disk_label(const struct ba_disk *disk, const char *name, char *out, size_t size);

/* False with EINVAL for a name that is none on a disk: empty, "." or "..", or
 * with a slash. Every name is one on the file system at large. */
bool ba_disk_check(const struct ba_disk *disk, const char *name, struct ba_error *err);

/* What an errno of an operation on `name` means. */
bool ba_disk_error(const struct ba_disk *disk, const char *name, int errnum, struct ba_error *err);

/* ---- a directory of the system ------------------------------------------ */

struct ba_disk_options {
  bool create;      /* and the directories above it */
  bool group;       /* a group may write to it too */
  const char *mark; /* a directory with a file of this name holds nothing of others; or NULL */
};

/* Opens a directory as one that only its owner can put files into: it must
 * belong to this user and not be writable for everyone. What is loose is taken
 * away: others may not write to it, and not read it either if it is empty or
 * bears the mark. `group`: it may belong to another user of a group of ours.
 * Links in it are never followed, files are made 0600 (0660). */
struct ba_disk *ba_disk_open(const char *path, const struct ba_disk_options *options,
                             struct ba_error *err);

#endif
