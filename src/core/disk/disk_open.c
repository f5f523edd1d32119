/* A directory becomes a disk: whoever can put files into it can make this
 * process read, send and overwrite what it names, so it is looked at first. */
#include "disk/disk_private.h"

#include "batchapi/alloc.h"
#include "batchapi/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(struct ba_error *err, const char *code, const char *path, const char *why)
{
  return ba_error_set(err, BA_IO, code, "%s: refused, %s", path, why);
}

static bool is_of_our_groups(gid_t group)
{
  if(geteuid() == 0 || getegid() == group)
    return true;
  int count = getgroups(0, NULL);
  gid_t *groups = count > 0 ? ba_malloc((size_t)count * sizeof(*groups)) : NULL;
  count = groups ? getgroups(count, groups) : 0;
  bool found = false;
  for(int i = 0; i < count; i++)
    found = found || groups[i] == group;
  ba_free(groups);
  return found;
}

static bool note_name(void *user, const char *name)
{
  (void)name;
  *(bool *)user = false;
  return false;
}

/* Is it a directory that holds nothing else than what is made in it now? */
static bool is_ours_alone(struct ba_directory *directory, const char *mark)
{
  bool empty = true;
  struct stat info;
  if(mark && fstatat(directory->fd, mark, &info, AT_SYMLINK_NOFOLLOW) == 0)
    return true;
  return ba_disk_system.list(directory, note_name, &empty) == 0 && empty;
}

/* A directory that others' files lie in too keeps what it lets them read. */
static bool tighten(struct ba_directory *directory, mode_t mode,
                    const struct ba_disk_options *options, const char *path, struct ba_error *err)
{
  mode_t loose = directory->group ? 0007 : 0077;
  if(!directory->group && !is_ours_alone(directory, options->mark))
    loose = 0022;
  if(!(mode & loose) || fchmod(directory->fd, mode & ~loose & 07777) == 0)
    return true;
  return ba_error_errno(err, errno, path);
}

static bool check(struct ba_directory *directory, const struct ba_disk_options *options,
                  const char *path, struct ba_error *err)
{
  struct stat info;
  if(fstat(directory->fd, &info) != 0)
    return ba_error_errno(err, errno, path);
  bool mine = info.st_uid == geteuid();
  if(info.st_mode & S_IWOTH)
    return refuse(err, "EPERM", path,
                  "for everyone may write to it: give run a directory of its own");
  if(!mine && !(directory->group && is_of_our_groups(info.st_gid)))
    return refuse(err, "EPERM", path,
                  "for it belongs to another user (group = true takes one of a group of yours)");
  return !mine || tighten(directory, info.st_mode, options, path, err);
}

static int open_directory(const char *path, bool *link)
{
  struct stat info;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int failure = errno;
  *link = fd < 0 && lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
  errno = failure;
  return fd;
}

struct ba_disk *ba_disk_open(const char *path, const struct ba_disk_options *options,
                             struct ba_error *err)
{
  if(options->create && !ba_fs_mkdir(path, options->group ? 0770 : 0700, err))
    return NULL;
  struct ba_directory *directory = ba_malloc(sizeof(*directory));
  if(!directory) {
    ba_error_nomem(err);
    return NULL;
  }
  bool link;
  directory->group = options->group;
  directory->fd = open_directory(path, &link);
  if(directory->fd < 0) {
    if(link)
      refuse(err, "ELOOP", path, "for it is a link: give the directory itself");
    else
      ba_error_errno(err, errno, path);
    ba_free(directory);
    return NULL;
  }
  if(!check(directory, options, path, err)) {
    ba_disk_system.release(directory);
    return NULL;
  }
  return ba_disk_new(&ba_disk_system, directory, path, err);
}
