/* What passes between the host's thread and libcurl's callbacks while a call
 * runs. Both buffers are bounded; the side that gets ahead is paused. */
#include "wire/internal.h"

#include <string.h>

unsigned ba_stream_news_locked(const struct ba_call *call)
{
  const struct ba_stream *stream = call->stream;
  unsigned news = 0;
  if(stream->in.length)
    news |= BA_CALL_READABLE;
  if(call->request->body == BA_BODY_STREAM && !call->done && !stream->out_ended &&
     !stream->restart && stream->out.length < stream->out.cap)
    news |= BA_CALL_WRITABLE;
  return news;
}

bool ba_call_read(struct ba_call *call, struct ba_buffer *chunk)
{
  struct ba_stream *stream = call->stream;
  if(!stream)
    return false;
  ba_lock();
  bool some = stream->in.length > 0;
  if(some) {
    struct ba_buffer spare = *chunk;
    *chunk = stream->in;
    spare.cap = chunk->cap;
    spare.length = 0;
    stream->in = spare;
  }
  if(stream->in_paused && !call->done)
    ba_engine_command_locked(call, BA_COMMAND_RESUME);
  ba_unlock();
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

size_t ba_call_write(struct ba_call *call, const void *bytes, size_t length)
{
  struct ba_stream *stream = call->stream;
  if(!stream || call->request->body != BA_BODY_STREAM)
    return 0;
  ba_lock();
  size_t taken = 0;
  if(!call->done && !stream->restart && !stream->out_ended) {
    size_t room = stream->out.cap - (stream->out.length - stream->out_taken);
    taken = length < room ? length : room;
    if(taken > stream->out.cap - stream->out.length)
      compact(stream);
    if(!ba_buffer_append(&stream->out, bytes, taken, NULL))
      taken = 0;
    stream->out_full = taken < length;
    if(taken && stream->out_paused)
      ba_engine_command_locked(call, BA_COMMAND_RESUME);
  }
  ba_unlock();
  return taken;
}

void ba_call_write_end(struct ba_call *call)
{
  struct ba_stream *stream = call->stream;
  if(!stream)
    return;
  ba_lock();
  if(!stream->restart) {
    stream->out_ended = true;
    if(stream->out_paused && !call->done)
      ba_engine_command_locked(call, BA_COMMAND_RESUME);
  }
  ba_unlock();
}

void ba_call_write_fail(struct ba_call *call, const struct ba_error *failure)
{
  struct ba_stream *stream = call->stream;
  if(!stream)
    return;
  ba_lock();
  stream->out_failed = true;
  stream->out_error = *failure;
  if(!call->done)
    ba_engine_command_locked(call, BA_COMMAND_RESUME);
  ba_unlock();
}

/* The I/O thread's halves. */

/* How many of the `left` bytes libcurl may have now. Where the length was announced, the last byte
 * waits for the producer's end: libcurl asks for no more than was announced, and only so is it
 * known that there is no more. SIZE_MAX: there is. */
static size_t ready(const struct ba_call *call, size_t left)
{
  int64_t announced = call->request->stream_length;
  if(announced < 0)
    return left;
  uint64_t expected = (uint64_t)announced - call->transfer.body_taken;
  if(left < expected)
    return left;
  if(left > expected)
    return SIZE_MAX;
  return call->stream->out_ended || expected == 0 ? left : left - 1;
}

size_t ba_stream_take(struct ba_call *call, char *out, size_t size)
{
  struct ba_stream *stream = call->stream;
  size_t result;
  bool writable = false;
  ba_lock();
  size_t left = ready(call, stream->out.length - stream->out_taken);
  if(stream->out_failed) {
    call->transfer.handle->failure = stream->out_error;
    result = CURL_READFUNC_ABORT;
  } else if(left == SIZE_MAX) {
    ba_error_set(&call->transfer.handle->failure, BA_IO, NULL,
                 "the body's producer gave more bytes than the %lld it had announced",
                 (long long)call->request->stream_length);
    result = CURL_READFUNC_ABORT;
  } else if(left) {
    result = left < size ? left : size;
    memcpy(out, stream->out.bytes + stream->out_taken, result);
    stream->out_taken += result;
    if(stream->out_taken == stream->out.length) {
      ba_buffer_clear(&stream->out);
      stream->out_taken = 0;
    }
    writable = stream->out_full && left - result < stream->out.cap / 2;
    if(writable)
      stream->out_full = false;
  } else if(stream->out_ended) {
    result = 0;
  } else {
    stream->out_paused = true;
    writable = true;
    result = CURL_READFUNC_PAUSE;
  }
  ba_unlock();
  if(writable)
    ba_engine_news(call, BA_CALL_WRITABLE);
  return result;
}

/* False: the buffer is full, libcurl must keep the bytes and pause. */
bool ba_stream_give(struct ba_call *call, const char *bytes, size_t length, struct ba_error *err)
{
  struct ba_stream *stream = call->stream;
  ba_lock();
  bool full = stream->in.length >= BA_STREAM_BUFFER_BYTES;
  bool first = stream->in.length == 0;
  if(full)
    stream->in_paused = true;
  else
    full = !ba_buffer_append(&stream->in, bytes, length, err);
  ba_unlock();
  if(first && !full)
    ba_engine_news(call, BA_CALL_READABLE);
  return !full;
}

/* A new attempt sends the body from its first byte: forget what is here, and
 * have the producer told, unless nothing of it was taken yet. */
void ba_stream_restart(struct ba_call *call)
{
  struct ba_stream *stream = call->stream;
  ba_lock();
  ba_buffer_clear(&stream->out);
  stream->out_taken = 0;
  stream->out_ended = stream->out_full = stream->out_paused = false;
  stream->restart = true;
  call->news |= BA_CALL_RESTART;
  ba_unlock();
  ba_engine_news(call, BA_CALL_RESTART);
}
