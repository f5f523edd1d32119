/* Bytes to send that are there from the start: memory, or a file that is read
 * as it is needed and must keep its size meanwhile. */
#include "wire/source.h"

#include "wire/place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool ba_source_open(struct ba_source *source, struct ba_error *err)
{
  source->offset = 0;
  if(!source->path || source->fd >= 0)
    return true;
  struct ba_place place;
  if(!ba_place_of(source->disk, source->path, &place, err))
    return false;
  source->fd = ba_place_read(source->disk, &place);
  if(source->fd < 0)
    return ba_error_errno(err, errno, source->path);
  struct stat info;
  if(fstat(source->fd, &info) != 0)
    return ba_error_errno(err, errno, source->path);
  if(S_ISDIR(info.st_mode))
    return ba_error_errno(err, EISDIR, source->path);
  if(!S_ISREG(info.st_mode))
    return ba_error_set(err, BA_IO, "ESPIPE", "%s: only a regular file has a size to send",
                        source->path);
  source->length = info.st_size;
  return true;
}

void ba_source_rewind(struct ba_source *source, struct ba_error *failure)
{
  source->offset = 0;
  source->failure = failure;
}

void ba_source_close(struct ba_source *source)
{
  if(source->fd >= 0)
    close(source->fd);
  source->fd = -1;
}

/* Length is what was announced; a file that has another size by now would
 * leave the server with half a body or cut one off. */
static bool same_size(const struct ba_source *source)
{
  struct stat info;
  return fstat(source->fd, &info) == 0 && info.st_size == source->length;
}

int64_t ba_source_take(struct ba_source *source, char *out, size_t wanted)
{
  int64_t left = source->length - source->offset;
  if((int64_t)wanted > left)
    wanted = (size_t)left;
  if(!source->path) {
    memcpy(out, source->bytes + source->offset, wanted);
    source->offset += (int64_t)wanted;
    return (int64_t)wanted;
  }
  if(wanted == 0)
    return 0;
  ssize_t got;
  do
    got = pread(source->fd, out, wanted, source->offset);
  while(got < 0 && errno == EINTR);
  if(got < 0) {
    ba_error_errno(source->failure, errno, source->path);
    return -1;
  }
  source->offset += got;
  bool end = got == 0 || source->offset == source->length;
  if(end && (got == 0 || !same_size(source))) {
    ba_error_set(source->failure, BA_IO, "ESTALE", "%s: changed its size while it was sent",
                 source->path);
    return -1;
  }
  return got;
}

bool ba_source_seek(struct ba_source *source, int64_t offset)
{
  if(offset < 0 || offset > source->length)
    return false;
  source->offset = offset;
  return true;
}
