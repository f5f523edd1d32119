#include "wire/stream.h"

#include "batchapi/alloc.h"
#include "batchapi/defaults.h"

#include <pthread.h>
#include <string.h>

/* One callback's worth above the mark: what libcurl hands over when it is not
 * yet paused must fit (CURL_MAX_WRITE_SIZE). */
enum { ONE_WRITE = 16 << 10 };

struct ba_stream { /* under the lock, but for what never changes */
  bool produced;
  int64_t announced;
  ba_stream_tell tell;
  void *user;
  struct ba_buffer in;  /* arrived, not yet read */
  bool in_paused;       /* libcurl waits until the reader takes */
  struct ba_buffer out; /* written, not yet sent */
  size_t out_taken;     /* of `out`, by libcurl */
  bool out_ended, out_paused, out_full, out_failed;
  bool restart; /* the producer must begin again, and has not been told */
  bool closed;  /* the call has ended */
  struct ba_error out_error;
  uint64_t taken; /* I/O: bytes of this attempt */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct ba_stream *ba_stream_new(bool produced, int64_t announced, ba_stream_tell tell, void *user,
                                struct ba_error *err)
{
  struct ba_stream *stream = ba_calloc(1, sizeof(*stream));
  if(!stream) {
    ba_error_nomem(err);
    return NULL;
  }
  stream->produced = produced;
  stream->announced = announced;
  stream->tell = tell;
  stream->user = user;
  ba_buffer_init(&stream->in, BA_STREAM_BUFFER_BYTES + ONE_WRITE);
  ba_buffer_init(&stream->out, BA_STREAM_BUFFER_BYTES);
  return stream;
}

void ba_stream_free(struct ba_stream *stream)
{
  if(!stream)
    return;
  ba_buffer_free(&stream->in);
  ba_buffer_free(&stream->out);
  ba_free(stream);
}

/* ---- the host's side ------------------------------------------------------ */

unsigned ba_stream_news(struct ba_stream *stream)
{
  unsigned news = 0;
  if(!stream)
    return 0;
  pthread_mutex_lock(&lock);
  if(stream->in.length)
    news |= BA_STREAM_READABLE;
  if(stream->produced && !stream->closed && !stream->out_ended && !stream->restart &&
     stream->out.length < stream->out.cap)
    news |= BA_STREAM_WRITABLE;
  pthread_mutex_unlock(&lock);
  return news;
}

bool ba_stream_read(struct ba_stream *stream, struct ba_buffer *chunk, bool *resume)
{
  *resume = false;
  if(!stream)
    return false;
  pthread_mutex_lock(&lock);
  bool some = stream->in.length > 0;
  if(some) {
    struct ba_buffer spare = *chunk;
    *chunk = stream->in;
    spare.cap = chunk->cap;
    spare.length = 0;
    stream->in = spare;
  }
  *resume = stream->in_paused;
  pthread_mutex_unlock(&lock);
  return some;
}

/* Makes room by dropping what libcurl has taken. */
static void compact(struct ba_stream *stream)
{
  if(!stream->out_taken)
    return;
  size_t left = stream->out.length - stream->out_taken;
  memmove(stream->out.bytes, stream->out.bytes + stream->out_taken, left);
  stream->out.length = left;
  stream->out_taken = 0;
}

size_t ba_stream_write(struct ba_stream *stream, const void *bytes, size_t length, bool *resume)
{
  size_t taken = 0;
  *resume = false;
  if(!stream || !stream->produced)
    return 0;
  pthread_mutex_lock(&lock);
  if(!stream->closed && !stream->restart && !stream->out_ended) {
    size_t room = stream->out.cap - (stream->out.length - stream->out_taken);
    taken = length < room ? length : room;
    if(taken > stream->out.cap - stream->out.length)
      compact(stream);
    if(!ba_buffer_append(&stream->out, bytes, taken, NULL))
      taken = 0;
    stream->out_full = taken < length;
    *resume = taken && stream->out_paused;
  }
  pthread_mutex_unlock(&lock);
  return taken;
}

void ba_stream_write_end(struct ba_stream *stream, bool *resume)
{
  *resume = false;
  if(!stream)
    return;
  pthread_mutex_lock(&lock);
  if(!stream->restart) {
    stream->out_ended = true;
    *resume = stream->out_paused;
  }
  pthread_mutex_unlock(&lock);
}

void ba_stream_write_fail(struct ba_stream *stream, const struct ba_error *failure)
{
  pthread_mutex_lock(&lock);
  stream->out_failed = true;
  stream->out_error = *failure;
  pthread_mutex_unlock(&lock);
}

void ba_stream_told_restart(struct ba_stream *stream)
{
  pthread_mutex_lock(&lock);
  stream->restart = false;
  pthread_mutex_unlock(&lock);
}

/* ---- the I/O thread's side ------------------------------------------------ */

/* How many of the `left` bytes libcurl may have now. Where the length was announced, the last byte
 * waits for the producer's end: libcurl asks for no more than was announced, and only so is it
 * known that there is no more. SIZE_MAX: there is. */
static size_t ready(const struct ba_stream *stream, size_t left)
{
  if(stream->announced < 0)
    return left;
  uint64_t expected = (uint64_t)stream->announced - stream->taken;
  if(left < expected)
    return left;
  if(left > expected)
    return SIZE_MAX;
  return stream->out_ended || expected == 0 ? left : left - 1;
}

static size_t move_out(struct ba_stream *stream, char *out, size_t count)
{
  memcpy(out, stream->out.bytes + stream->out_taken, count);
  stream->out_taken += count;
  stream->taken += count;
  if(stream->out_taken == stream->out.length) {
    ba_buffer_clear(&stream->out);
    stream->out_taken = 0;
  }
  return count;
}

/* Without more to take: the end, if it is where it was announced. */
static int64_t end_of_body(const struct ba_stream *stream, struct ba_error *err)
{
  if(stream->announced < 0 || (int64_t)stream->taken == stream->announced)
    return 0;
  ba_error_set(err, BA_IO, NULL,
               "the body's producer gave %llu bytes, not the %lld it had announced",
               (unsigned long long)stream->taken, (long long)stream->announced);
  return BA_STREAM_ABORT;
}

int64_t ba_stream_take(struct ba_stream *stream, char *out, size_t size, struct ba_error *err)
{
  int64_t result;
  bool writable = false;
  pthread_mutex_lock(&lock);
  size_t left = ready(stream, stream->out.length - stream->out_taken);
  if(stream->out_failed) {
    *err = stream->out_error;
    result = BA_STREAM_ABORT;
  } else if(left == SIZE_MAX) {
    ba_error_set(err, BA_IO, NULL,
                 "the body's producer gave more bytes than the %lld it had announced",
                 (long long)stream->announced);
    result = BA_STREAM_ABORT;
  } else if(left) {
    result = (int64_t)move_out(stream, out, left < size ? left : size);
    writable = stream->out_full && left - (size_t)result < stream->out.cap / 2;
    if(writable)
      stream->out_full = false;
  } else if(stream->out_ended) {
    result = end_of_body(stream, err);
  } else {
    stream->out_paused = true;
    writable = true;
    result = BA_STREAM_PAUSE;
  }
  pthread_mutex_unlock(&lock);
  if(writable)
    stream->tell(stream->user, BA_STREAM_WRITABLE);
  return result;
}

uint64_t ba_stream_taken(const struct ba_stream *stream)
{
  return stream ? stream->taken : 0;
}

bool ba_stream_is_out(struct ba_stream *stream)
{
  pthread_mutex_lock(&lock);
  bool out = stream->out_ended && stream->out_taken == stream->out.length;
  pthread_mutex_unlock(&lock);
  return out;
}

bool ba_stream_give(struct ba_stream *stream, const char *bytes, size_t length,
                    struct ba_error *err)
{
  pthread_mutex_lock(&lock);
  bool full = stream->in.length >= BA_STREAM_BUFFER_BYTES;
  bool first = stream->in.length == 0;
  if(full)
    stream->in_paused = true;
  else
    full = !ba_buffer_append(&stream->in, bytes, length, err);
  pthread_mutex_unlock(&lock);
  if(first && !full)
    stream->tell(stream->user, BA_STREAM_READABLE);
  return !full;
}

void ba_stream_begin(struct ba_stream *stream)
{
  if(stream)
    stream->taken = 0;
}

void ba_stream_restart(struct ba_stream *stream)
{
  pthread_mutex_lock(&lock);
  ba_buffer_clear(&stream->out);
  stream->out_taken = 0;
  stream->out_ended = stream->out_full = stream->out_paused = false;
  stream->restart = true;
  pthread_mutex_unlock(&lock);
}

bool ba_stream_is_paused(struct ba_stream *stream)
{
  if(!stream)
    return false;
  pthread_mutex_lock(&lock);
  bool paused = stream->in_paused || stream->out_paused;
  pthread_mutex_unlock(&lock);
  return paused;
}

void ba_stream_resume(struct ba_stream *stream)
{
  if(!stream)
    return;
  pthread_mutex_lock(&lock);
  stream->in_paused = stream->out_paused = false;
  pthread_mutex_unlock(&lock);
}

bool ba_stream_has_failed(struct ba_stream *stream, struct ba_error *why)
{
  if(!stream)
    return false;
  pthread_mutex_lock(&lock);
  bool failed = stream->out_failed;
  if(failed)
    *why = stream->out_error;
  pthread_mutex_unlock(&lock);
  return failed;
}

void ba_stream_close(struct ba_stream *stream)
{
  if(!stream)
    return;
  pthread_mutex_lock(&lock);
  stream->closed = true;
  pthread_mutex_unlock(&lock);
}

void ba_streams_before_fork(void)
{
  pthread_mutex_lock(&lock);
}

void ba_streams_after_fork(void)
{
  pthread_mutex_unlock(&lock);
}

void ba_streams_in_child(void)
{
  pthread_mutex_init(&lock, NULL);
}
