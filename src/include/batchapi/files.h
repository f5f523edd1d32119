/* Files as the journal and the job's data need them: whole writes, syncs that
 * reach the disk, renames that survive a power cut, locks between processes.
 * Everything here blocks on the disk; work.h runs it on a thread of its own.
 *
 * Each function takes the disk that the name is one of (disk.h); NULL is the
 * file system at large, and the name a path. Failures are BA_IO with the
 * errno's name as code and the path in the message. */
#ifndef BA_FILES_H
#define BA_FILES_H

#include "buffer.h"
#include "disk.h"
#include "error.h"

#include <stddef.h>
#include <stdint.h>

/* ---- one open file ------------------------------------------------------ */

/* Counted: an operation that another thread runs holds it too. One operation
 * at a time, but for ba_file_sound(). The first failed write is kept, and
 * everything that would write or sync after it fails the same way: a torn file
 * is not written on. */
struct ba_file;

enum ba_file_mode { BA_FILE_READ, BA_FILE_WRITE /* made or emptied */, BA_FILE_APPEND };

struct ba_file *ba_file_open(struct ba_disk *disk, const char *name, enum ba_file_mode mode,
                             struct ba_error *err);
struct ba_file *ba_file_retain(struct ba_file *file);
void ba_file_release(struct ba_file *file); /* closes at last; NULL is allowed */

const char *ba_file_path(const struct ba_file *file); /* for messages */
/* Its length when it was opened for appending, else 0. */
uint64_t ba_file_start(const struct ba_file *file);
/* Where the next read begins. */
void ba_file_seek(struct ba_file *file, uint64_t offset);
/* Up to `size` bytes to `out`; *length 0 is the end. */
bool ba_file_read(struct ba_file *file, void *out, size_t size, size_t *length,
                  struct ba_error *err);
bool ba_file_write(struct ba_file *file, const void *bytes, size_t length, struct ba_error *err);
/* False after a failed write, with its error. From any thread. */
bool ba_file_sound(struct ba_file *file, struct ba_error *err);
/* Bytes that were meant for the file are lost: from now on it is unsound. */
void ba_file_spoil(struct ba_file *file);
/* Data and size on the disk; of a file made for appending the name too. */
bool ba_file_sync(struct ba_file *file, struct ba_error *err);
/* Closes now and says what release would swallow. */
bool ba_file_close(struct ba_file *file, struct ba_error *err);

/* ---- paths -------------------------------------------------------------- */

bool ba_fs_stat(struct ba_disk *disk, const char *name, struct ba_stat *out, struct ba_error *err);
/* Replaces `to`, and returns once the directory entry is on the disk. */
bool ba_fs_rename(struct ba_disk *disk, const char *from, const char *to, struct ba_error *err);
bool ba_fs_unlink(struct ba_disk *disk, const char *name, struct ba_error *err);
bool ba_fs_truncate(struct ba_disk *disk, const char *name, uint64_t size,
                    struct ba_error *err); /* and sync */
/* The names in a disk, each with a NUL behind it, appended to `out`, whose cap holds. */
bool ba_fs_list(struct ba_disk *disk, struct ba_buffer *out, struct ba_error *err);
/* The whole file, appended to `out`, whose cap holds. */
bool ba_fs_read(struct ba_disk *disk, const char *name, struct ba_buffer *out,
                struct ba_error *err);
/* The lines that begin at the offsets, in that order, each with a line feed:
 * until they are 256 KiB, and one at least. Appended to `out`, whose cap holds.
 * A file that ends before one of them is BA_IO, code "short". */
bool ba_fs_lines(struct ba_disk *disk, const char *name, const uint64_t *offsets, size_t count,
                 struct ba_buffer *out, struct ba_error *err);
/* New bytes for a file, at once or not at all, also through a power cut: a
 * temporary file beside it, sync, rename, sync of the directory. */
bool ba_fs_replace(struct ba_disk *disk, const char *name, const void *bytes, size_t length,
                   struct ba_error *err);
/* Hash of the first `length` bytes, in hexadecimal (see hash.h). A shorter
 * file is BA_IO, code "short". UINT64_MAX: all of it. */
bool ba_fs_sha256(struct ba_disk *disk, const char *name, uint64_t length, char *out,
                  struct ba_error *err);

/* Of the file system at large only. With the directories above it, which are
 * made as usual; one that is there already is no failure. */
bool ba_fs_mkdir(const char *path, unsigned mode, struct ba_error *err);
bool ba_fs_rmdir(const char *path, struct ba_error *err);
/* A directory of files that nobody needs when the process has ended: when it
 * returns from main or calls exit() they are removed, and the directory, unless
 * it has gone before (ba_fs_rmdir()). A child of fork leaves it alone. */
bool ba_fs_goes_at_exit(const char *path, struct ba_error *err);
void ba_fs_has_gone(const char *path);
/* To be called before anything else asks for atexit(): what that does at the
 * end may still write into them. */
void ba_fs_watch_exit(void);
/* The names in a directory, as ba_fs_list() gives them. */
bool ba_fs_list_directory(const char *path, struct ba_buffer *out, struct ba_error *err);
bool ba_fs_sync_directory(const char *path, struct ba_error *err);
/* Makes an empty file that only its owner can read, and appends its path. A
 * NULL directory is TMPDIR's, or /tmp. */
bool ba_fs_temporary(const char *directory, struct ba_buffer *path, struct ba_error *err);

/* ---- a lock between processes -------------------------------------------- */

/* Held by one opening of the file: it ends with the process, and a second one
 * of the same process is refused too. The file holds the
 * holder's process id and stays when the lock goes. Its holder may remove it:
 * whoever waits then takes the lock of the next file at that path. */
struct ba_file_lock;

/* BA_LOCKED when another holds it; *holder is then its process id, 0 if it
 * cannot be read. Does not wait. */
struct ba_file_lock *ba_file_lock(struct ba_disk *disk, const char *name, long *holder,
                                  struct ba_error *err);
void ba_file_unlock(struct ba_file_lock *lock); /* NULL is allowed */

#endif
