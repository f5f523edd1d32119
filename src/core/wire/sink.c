/* Where an answer's body goes. Answers of 300 and above always go to memory. */
#include "wire/internal.h"

#include "batchapi/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void ba_sink_init(struct ba_call *call)
{
  struct ba_sink *sink = &call->sink;
  ba_buffer_renew(&sink->body, call->request->options.max_body_bytes);
  sink->body.secret = call->request->secret_body; /* the answer to a token request holds tokens */
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
static int lock_part(const char *part, int fd)
{
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  struct stat mine, there;
  /* a file system without locks has none that is held */
  if(fcntl(fd, F_OFD_SETLK, &whole) != 0 && (errno == EAGAIN || errno == EACCES))
    return EBUSY;
  /* another download may have given the file its name meanwhile, or removed it */
  if(fstat(fd, &mine) != 0 || lstat(part, &there) != 0 || mine.st_ino != there.st_ino ||
     mine.st_dev != there.st_dev)
    return ESTALE;
  return ftruncate(fd, 0) == 0 ? 0 : errno;
}

static bool open_part(struct ba_sink *sink, struct ba_error *err)
{
  int fd, failure, tries = 0;
  do {
    fd = open(sink->part, O_WRONLY | O_CLOEXEC | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0666);
    failure = fd < 0 ? errno : lock_part(sink->part, fd);
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

bool ba_sink_open(struct ba_call *call, struct ba_error *err)
{
  struct ba_sink *sink = &call->sink;
  const char *path = call->request->path;
  if(call->request->sink != BA_SINK_FILE || sink->fd >= 0)
    return true;
  bool direct;
  if(!in_place(path, &direct, err))
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

void ba_sink_rewind(struct ba_call *call)
{
  call->sink.begun = call->sink.to_memory = call->sink.overflowed = call->sink.looks = false;
  ba_unpack_free(call->sink.unpack);
  call->sink.unpack = NULL;
  call->sink.taken = call->sink.piece_length = call->sink.put = 0;
  call->sink.blocked = 0;
  call->sink.skip = 0;
  ba_buffer_clear(&call->sink.body);
}

static bool restart_file(struct ba_call *call, struct ba_error *err)
{
  struct ba_sink *sink = &call->sink;
  if(sink->done == 0)
    return true;
  if(!sink->part)
    return ba_error_set(err, BA_TRUNCATED, NULL, "%s cannot be written again from its start",
                        call->request->path);
  if(ftruncate(sink->fd, 0) != 0)
    return ba_error_errno(err, errno, sink->part);
  sink->done = 0;
  return true;
}

static void remember_validator(struct ba_call *call, int64_t total)
{
  struct ba_sink *sink = &call->sink;
  ba_free(sink->validator);
  const char *validator = ba_head_validator(&call->head);
  /* An encoded body's bytes are not the file's bytes. */
  if(ba_head_get(&call->head, "content-encoding"))
    validator = NULL;
  sink->validator = validator ? ba_strdup(validator) : NULL; /* without: start again */
  sink->expected = total;
}

void ba_sink_distrust(struct ba_call *call)
{
  ba_free(call->sink.validator);
  call->sink.validator = NULL;
  call->sink.expected = -1;
}

/* 206: only if it goes on exactly where we are. */
static bool begin_part(struct ba_call *call, struct ba_error *err)
{
  int64_t first, last, total;
  bool packed = call->sink.unpack != NULL; /* of what, nobody knows */
  const char *range = ba_head_get(&call->head, "content-range");
  if(packed || !range || !ba_content_range(range, &first, &last, &total) ||
     (uint64_t)first != call->sink.done ||
     (call->sink.expected >= 0 && total >= 0 && total != call->sink.expected)) {
    ba_sink_distrust(call);
    return ba_error_set(err, BA_TRUNCATED, NULL,
                        "the server answered another range than was asked for");
  }
  if(total >= 0)
    call->sink.expected = total;
  return true;
}

static bool begin_whole(struct ba_call *call, struct ba_error *err)
{
  struct ba_sink *sink = &call->sink;
  int64_t length = call->head.length;
  if(call->request->sink == BA_SINK_FILE) {
    if(!restart_file(call, err))
      return false;
  } else if(sink->done) {
    /* The reader has `done` bytes already: this answer must be the same one. */
    const char *validator = ba_head_validator(&call->head);
    if(!sink->validator || !validator || strcmp(validator, sink->validator) != 0)
      return ba_error_set(err, BA_TRUNCATED, NULL,
                          "the answer was cut off and the server cannot continue it");
    sink->skip = sink->done;
  }
  remember_validator(call, ba_head_get(&call->head, "content-encoding") ? -1 : length);
  return true;
}

static bool begin_memory(struct ba_call *call, struct ba_error *err)
{
  int64_t length = call->head.length;
  if(length <= 0 || call->head.status >= 300 || ba_head_get(&call->head, "content-encoding"))
    return true;
  if((uint64_t)length <= call->sink.body.cap)
    return ba_buffer_reserve(&call->sink.body, (size_t)length, err);
  return ba_error_set(err, BA_TOO_LARGE, NULL, "the answer has %lld bytes, more than %zu",
                      (long long)length, call->sink.body.cap);
}

bool ba_libcurl_unpacks(const struct ba_request *request)
{
  const char *asked = request->accept_encoding;
  return asked && (ba_accepts(asked, "br") || ba_accepts(asked, "zstd"));
}

static bool begin_packing(struct ba_call *call, enum ba_packing packing, struct ba_error *err)
{
  call->sink.unpack = ba_unpack_new(packing, call->sink.body.secret, err);
  return call->sink.unpack != NULL;
}

/* The encoding may be one that nobody has asked for. */
static bool begin_packed(struct ba_call *call, struct ba_error *err)
{
  const char *name = ba_head_get(&call->head, "content-encoding");
  if(!name || ba_libcurl_unpacks(call->request))
    return true;
  enum ba_packing packing = ba_packing_named(name);
  if(packing == BA_PACKING_NONE)
    return true;
  if(packing != BA_PACKING_UNKNOWN)
    return begin_packing(call, packing, err);
  if(call->head.status >= 300)
    return true; /* the status says enough */
  return ba_error_set(err, BA_DECODE, "content_encoding",
                      "the answer is encoded as '%.40s', which was not asked for", name);
}

bool ba_sink_look(struct ba_call *call, unsigned char first, struct ba_error *err)
{
  enum ba_packing packing = ba_packing_of_text(first);
  call->sink.looks = false;
  if(packing == BA_PACKING_NONE)
    return true;
  ba_sink_distrust(call); /* the file's bytes are not the answer's */
  return begin_packing(call, packing, err);
}

bool ba_sink_begin(struct ba_call *call, struct ba_error *err)
{
  struct ba_sink *sink = &call->sink;
  if(sink->begun)
    return true;
  sink->begun = true;
  sink->to_memory = call->request->sink == BA_SINK_MEMORY || call->head.status >= 300;
  sink->body.secret |= call->head.status >= 300; /* a refusal may quote the credential */
  if(!begin_packed(call, err))
    return false;
  if(sink->to_memory)
    return begin_memory(call, err);
  if(call->head.status == 206 && call->transfer.range[0])
    return begin_part(call, err);
  call->sink.looks = call->request->options.unpack && !call->sink.unpack;
  return begin_whole(call, err);
}

/* Another process reads the pipe, or does not: the thread must not wait for it. */
static size_t wait_for_room(struct ba_call *call, size_t put)
{
  struct ba_sink *sink = &call->sink;
  if(sink->blocked == 0 || put > sink->put)
    sink->blocked = ba_engine.now;
  sink->put = put;
  ba_flow_look_soon(call);
  return CURL_WRITEFUNC_PAUSE;
}

/* `length`; 0: failed; CURL_WRITEFUNC_PAUSE: the same bytes must be given again. */
size_t ba_sink_file_write(struct ba_call *call, const char *bytes, size_t length,
                          struct ba_error *err)
{
  struct ba_sink *sink = &call->sink;
  size_t known = sink->put < length ? sink->put : length;
  for(size_t at = known; at < length;) {
    ssize_t count = sink->part ? pwrite(sink->fd, bytes + at, length - at, (off_t)sink->done)
                               : write(sink->fd, bytes + at, length - at);
    if(count < 0 && errno == EINTR)
      continue;
    if(count < 0 && errno == EAGAIN && !sink->part)
      return wait_for_room(call, at);
    if(count <= 0) {
      ba_error_errno(err, count ? errno : ENOSPC, call->request->path);
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
static bool end_is_known(const struct ba_call *call)
{
  const struct ba_head *head = &call->head;
  return head->version[0] != '1' || head->status == 204 ||
         strcmp(call->request->method, "HEAD") == 0 || ba_head_get(head, "content-length") ||
         ba_head_get(head, "transfer-encoding");
}

/* libcurl reads lengths more kindly than we do: what came is counted. */
static bool came_as_said(const struct ba_call *call, struct ba_error *err)
{
  const struct ba_head *head = &call->head;
  bool none = head->status == 204 || strcmp(call->request->method, "HEAD") == 0;
  if(head->length < 0 || none)
    return true;
  curl_off_t came = 0;
  curl_easy_getinfo(call->transfer.handle->easy, CURLINFO_SIZE_DOWNLOAD_T, &came);
  return came == head->length || ba_error_set(err, BA_TRUNCATED, NULL, "%lld of %lld bytes arrived",
                                              (long long)came, (long long)head->length);
}

static bool is_whole(const struct ba_call *call, struct ba_error *err)
{
  const struct ba_sink *sink = &call->sink;
  if(!end_is_known(call))
    return ba_error_set(err, BA_TRUNCATED, NULL,
                        "the server does not say how long the body is: its end is unknown");
  if(sink->expected >= 0 && sink->done != (uint64_t)sink->expected &&
     strcmp(call->request->method, "HEAD") != 0)
    return ba_error_set(err, BA_TRUNCATED, NULL, "%llu of %lld bytes arrived",
                        (unsigned long long)sink->done, (long long)sink->expected);
  return true;
}

bool ba_sink_finish(struct ba_call *call, struct ba_error *err)
{
  struct ba_sink *sink = &call->sink;
  if(!ba_sink_begin(call, err) || /* an empty body never came to it */
     !came_as_said(call, err))
    return false;
  if(sink->unpack && !ba_unpack_is_whole(sink->unpack))
    return ba_error_set(err, BA_TRUNCATED, NULL, "the packed answer ends before its end");
  if(sink->to_memory)
    return true;
  if(!is_whole(call, err))
    return false;
  if(call->request->sink != BA_SINK_FILE)
    return true;
  /* renamed while it is still locked: whoever opens NAME.part next makes another */
  int failure = sink->part && rename(sink->part, call->request->path) != 0 ? errno : 0;
  if(close(sink->fd) && !failure)
    failure = errno;
  sink->fd = -1;
  if(failure)
    return ba_error_errno(err, failure, call->request->path);
  ba_free(sink->part);
  sink->part = NULL;
  return true;
}

/* Unless it was renamed, what is left of NAME.part goes. */
void ba_sink_close(struct ba_call *call)
{
  struct ba_sink *sink = &call->sink;
  if(sink->part)
    unlink(sink->part);
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
