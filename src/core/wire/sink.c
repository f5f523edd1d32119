#include "wire/sink.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"
#include "system/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void ba_sink_init(struct ba_sink *sink, const struct ba_request *request,
                  const struct ba_head *head)
{
  sink->request = request;
  sink->head = head;
  ba_buffer_renew(&sink->body, request->options.max_body_bytes);
  sink->body.secret = request->secret_body; /* the answer to a token request holds tokens */
  sink->fd = -1;
  sink->expected = -1;
}

/* A device or a pipe is written in place: renaming over it would replace it. */
static bool in_place(const char *path, bool *out, struct ba_error *err)
{
  struct stat info;
  *out = false;
  if(stat(path, &info) != 0)
    return errno == ENOENT || ba_error_errno(err, errno, path);
  if(S_ISDIR(info.st_mode))
    return ba_error_errno(err, EISDIR, path);
  *out = !S_ISREG(info.st_mode);
  return true;
}

/* NAME.part is one download's: the lock goes with the descriptor, and with the
 * process. It is emptied only once it is ours, and never reached by a link. */
static int lock_part(const struct ba_place *part, int fd)
{
  struct stat mine, there;
  /* a file system without locks has none that is held */
  if(ba_lock_file(fd) == EAGAIN)
    return EBUSY;
  /* another download may have given the file its name meanwhile, or removed it */
  if(fstat(fd, &mine) != 0 || fstatat(part->at, part->name, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
     mine.st_ino != there.st_ino || mine.st_dev != there.st_dev)
    return ESTALE;
  return ftruncate(fd, 0) == 0 ? 0 : errno;
}

static struct ba_place part_of(const struct ba_sink *sink)
{
  return (struct ba_place){sink->target.at, sink->part + (sink->target.name - sink->request->path)};
}

static bool open_part(struct ba_sink *sink, struct ba_error *err)
{
  struct ba_place part = part_of(sink);
  int fd, failure, tries = 0;
  do {
    fd = ba_place_write(sink->request->disk, &part);
    failure = fd < 0 ? errno : lock_part(&part, fd);
    if(fd >= 0 && failure)
      close(fd);
  } while(failure == ESTALE && ++tries < 16);
  if(failure) {
    if(failure == EBUSY)
      ba_error_set(err, BA_IO, "EBUSY", "%s: another download to it is under way", sink->part);
    else
      ba_error_errno(err, failure, sink->part);
    ba_free(sink->part);
    sink->part = NULL; /* not ours to remove */
    return false;
  }
  sink->fd = fd;
  return true;
}

bool ba_sink_open(struct ba_sink *sink, struct ba_error *err)
{
  const char *path = sink->request->path;
  if(sink->request->sink != BA_SINK_FILE || sink->fd >= 0)
    return true;
  bool direct = false;
  if(!ba_place_of(sink->request->disk, path, &sink->target, err) ||
     (!sink->request->disk && !in_place(path, &direct, err)))
    return false;
  if(!direct) {
    size_t length = strlen(path) + sizeof(".part");
    sink->part = ba_malloc(length);
    if(!sink->part)
      return ba_error_nomem(err);
    snprintf(sink->part, length, "%s.part", path);
  }
  if(!direct)
    return open_part(sink, err);
  sink->fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  return sink->fd >= 0 || ba_error_errno(err, errno, path);
}

void ba_sink_rewind(struct ba_sink *sink)
{
  sink->begun = sink->to_memory = sink->overflowed = sink->looks = sink->ranged = false;
  ba_unpack_free(sink->unpack);
  sink->unpack = NULL;
  sink->taken = sink->piece_length = sink->put = 0;
  sink->blocked = 0;
  sink->skip = 0;
  ba_buffer_clear(&sink->body);
}

static bool restart_file(struct ba_sink *sink, struct ba_error *err)
{
  if(sink->done == 0)
    return true;
  if(!sink->part)
    return ba_error_set(err, BA_TRUNCATED, NULL, "%s cannot be written again from its start",
                        sink->request->path);
  if(ftruncate(sink->fd, 0) != 0)
    return ba_error_errno(err, errno, sink->part);
  sink->done = 0;
  return true;
}

static void remember_validator(struct ba_sink *sink, int64_t total)
{
  ba_free(sink->validator);
  const char *validator = ba_head_validator(sink->head);
  /* An encoded body's bytes are not the file's bytes. */
  if(ba_head_get(sink->head, "content-encoding"))
    validator = NULL;
  sink->validator = validator ? ba_strdup(validator) : NULL; /* without: start again */
  sink->expected = total;
}

void ba_sink_distrust(struct ba_sink *sink)
{
  ba_free(sink->validator);
  sink->validator = NULL;
  sink->expected = -1;
}

/* 206: only if it goes on exactly where we are. */
static bool begin_part(struct ba_sink *sink, struct ba_error *err)
{
  int64_t first, last, total;
  bool packed = sink->unpack != NULL; /* of what, nobody knows */
  const char *range = ba_head_get(sink->head, "content-range");
  if(packed || !range || !ba_content_range(range, &first, &last, &total) ||
     (uint64_t)first != sink->done ||
     (sink->expected >= 0 && total >= 0 && total != sink->expected)) {
    ba_sink_distrust(sink);
    return ba_error_set(err, BA_TRUNCATED, NULL,
                        "the server answered another range than was asked for");
  }
  if(total >= 0)
    sink->expected = total;
  return true;
}

static bool begin_whole(struct ba_sink *sink, struct ba_error *err)
{
  int64_t length = sink->head->length;
  if(sink->request->sink == BA_SINK_FILE) {
    if(!restart_file(sink, err))
      return false;
  } else if(sink->done) {
    /* The reader has `done` bytes already: this answer must be the same one. */
    const char *validator = ba_head_validator(sink->head);
    if(!sink->validator || !validator || strcmp(validator, sink->validator) != 0)
      return ba_error_set(err, BA_TRUNCATED, NULL,
                          "the answer was cut off and the server cannot continue it");
    sink->skip = sink->done;
  }
  remember_validator(sink, ba_head_get(sink->head, "content-encoding") ? -1 : length);
  return true;
}

static bool begin_memory(struct ba_sink *sink, struct ba_error *err)
{
  int64_t length = sink->head->length;
  if(length <= 0 || sink->head->status >= 300 || ba_head_get(sink->head, "content-encoding"))
    return true;
  if((uint64_t)length <= sink->body.cap)
    return ba_buffer_reserve(&sink->body, (size_t)length, err);
  return ba_error_set(err, BA_TOO_LARGE, NULL, "the answer has %lld bytes, more than %zu",
                      (long long)length, sink->body.cap);
}

bool ba_libcurl_unpacks(const struct ba_request *request)
{
  const char *asked = request->accept_encoding;
  return asked && (ba_accepts(asked, "br") || ba_accepts(asked, "zstd"));
}

static bool begin_packing(struct ba_sink *sink, enum ba_packing packing, struct ba_error *err)
{
  sink->unpack = ba_unpack_new(packing, sink->body.secret, err);
  return sink->unpack != NULL;
}

/* The encoding may be one that nobody has asked for. */
static bool begin_packed(struct ba_sink *sink, struct ba_error *err)
{
  const char *name = ba_head_get(sink->head, "content-encoding");
  if(!name || ba_libcurl_unpacks(sink->request))
    return true;
  enum ba_packing packing = ba_packing_named(name);
  if(packing == BA_PACKING_NONE)
    return true;
  if(packing != BA_PACKING_UNKNOWN)
    return begin_packing(sink, packing, err);
  if(sink->head->status >= 300)
    return true; /* the status says enough */
  return ba_error_set(err, BA_DECODE, "content_encoding",
                      "the answer is encoded as '%.40s', which was not asked for", name);
}

bool ba_sink_look(struct ba_sink *sink, unsigned char first, struct ba_error *err)
{
  enum ba_packing packing = ba_packing_of_text(first);
  sink->looks = false;
  if(packing == BA_PACKING_NONE)
    return true;
  ba_sink_distrust(sink); /* the file's bytes are not the answer's */
  return begin_packing(sink, packing, err);
}

bool ba_sink_begin(struct ba_sink *sink, struct ba_error *err)
{
  if(sink->begun)
    return true;
  sink->begun = true;
  sink->to_memory = sink->request->sink == BA_SINK_MEMORY || sink->head->status >= 300;
  sink->body.secret |= sink->head->status >= 300; /* a refusal may quote the credential */
  if(!begin_packed(sink, err))
    return false;
  if(sink->to_memory)
    return begin_memory(sink, err);
  if(sink->head->status == 206 && sink->ranged)
    return begin_part(sink, err);
  sink->looks = sink->request->options.unpack && !sink->unpack;
  return begin_whole(sink, err);
}

/* Another process reads the pipe, or does not: the thread must not wait for it. */
static size_t wait_for_room(struct ba_sink *sink, size_t put)
{
  if(sink->blocked == 0 || put > sink->put)
    sink->blocked = ba_now();
  sink->put = put;
  return BA_SINK_FULL;
}

size_t ba_sink_file_write(struct ba_sink *sink, const char *bytes, size_t length,
                          struct ba_error *err)
{
  size_t known = sink->put < length ? sink->put : length;
  for(size_t at = known; at < length;) {
    ssize_t count = sink->part ? pwrite(sink->fd, bytes + at, length - at, (off_t)sink->done)
                               : write(sink->fd, bytes + at, length - at);
    if(count < 0 && errno == EINTR)
      continue;
    if(count < 0 && errno == EAGAIN && !sink->part)
      return wait_for_room(sink, at);
    if(count <= 0) {
      ba_error_errno(err, count ? errno : ENOSPC, sink->request->path);
      return 0;
    }
    sink->done += (uint64_t)count;
    at += (size_t)count;
  }
  sink->put -= known;
  if(known < length)
    sink->blocked = 0;
  return length;
}

/* A body that ends with the connection has no end that can be checked: anybody on
 * the way may close that, also one of TLS, whose goodbye libcurl does not insist
 * on. */
static bool end_is_known(const struct ba_sink *sink)
{
  const struct ba_head *head = sink->head;
  return head->version[0] != '1' || head->status == 204 ||
         strcmp(sink->request->method, "HEAD") == 0 || ba_head_get(head, "content-length") ||
         ba_head_get(head, "transfer-encoding");
}

/* libcurl reads lengths more kindly than we do: what came is counted. */
static bool came_as_said(const struct ba_sink *sink, int64_t came, struct ba_error *err)
{
  const struct ba_head *head = sink->head;
  bool none = head->status == 204 || strcmp(sink->request->method, "HEAD") == 0;
  if(head->length < 0 || none)
    return true;
  return came == head->length || ba_error_set(err, BA_TRUNCATED, NULL, "%lld of %lld bytes arrived",
                                              (long long)came, (long long)head->length);
}

static bool is_whole(const struct ba_sink *sink, struct ba_error *err)
{
  if(!end_is_known(sink))
    return ba_error_set(err, BA_TRUNCATED, NULL,
                        "the server does not say how long the body is: its end is unknown");
  if(sink->expected >= 0 && sink->done != (uint64_t)sink->expected &&
     strcmp(sink->request->method, "HEAD") != 0)
    return ba_error_set(err, BA_TRUNCATED, NULL, "%llu of %lld bytes arrived",
                        (unsigned long long)sink->done, (long long)sink->expected);
  return true;
}

static bool rename_part(const struct ba_sink *sink)
{
  struct ba_place part = part_of(sink);
  return renameat(part.at, part.name, sink->target.at, sink->target.name) == 0;
}

static void unlink_part(const struct ba_sink *sink)
{
  struct ba_place part = part_of(sink);
  unlinkat(part.at, part.name, 0);
}

bool ba_sink_finish(struct ba_sink *sink, int64_t came, struct ba_error *err)
{
  if(!ba_sink_begin(sink, err) || /* an empty body never came to it */
     !came_as_said(sink, came, err))
    return false;
  if(sink->unpack && !ba_unpack_is_whole(sink->unpack))
    return ba_error_set(err, BA_TRUNCATED, NULL, "the packed answer ends before its end");
  if(sink->to_memory)
    return true;
  if(!is_whole(sink, err))
    return false;
  if(sink->request->sink != BA_SINK_FILE)
    return true;
  /* renamed while it is still locked: whoever opens NAME.part next makes another */
  int failure = sink->part && !rename_part(sink) ? errno : 0;
  if(close(sink->fd) && !failure)
    failure = errno;
  sink->fd = -1;
  if(failure)
    return ba_error_errno(err, failure, sink->request->path);
  ba_free(sink->part);
  sink->part = NULL;
  return true;
}

/* Unless it was renamed, what is left of NAME.part goes. */
void ba_sink_close(struct ba_sink *sink)
{
  if(sink->part)
    unlink_part(sink);
  if(sink->fd >= 0)
    close(sink->fd);
  sink->fd = -1;
  ba_free(sink->part);
  sink->part = NULL;
  ba_free(sink->validator);
  sink->validator = NULL;
  ba_unpack_free(sink->unpack);
  sink->unpack = NULL;
}
