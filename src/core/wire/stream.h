/* What passes between the host's thread and libcurl's callbacks while a call
 * runs: an answer that is read, or a body that is written, bit by bit. Both
 * buffers are bounded; the side that gets ahead is paused. One lock of the
 * streams' own guards them all; nothing else is locked under it. */
#ifndef BA_STREAM_H
#define BA_STREAM_H

#include "batchapi/buffer.h"

#include <stddef.h>
#include <stdint.h>

struct ba_stream;

enum ba_stream_news { BA_STREAM_READABLE = 1, BA_STREAM_WRITABLE = 2 };

/* I/O: there is news for the host. */
typedef void (*ba_stream_tell)(void *user, enum ba_stream_news news);

/* `produced`: a body is written, of `announced` bytes, or of unknown length (< 0). */
struct ba_stream *ba_stream_new(bool produced, int64_t announced, ba_stream_tell tell, void *user,
                                struct ba_error *err);
void ba_stream_free(struct ba_stream *stream); /* NULL is allowed */

/* ---- the host's side; NULL is a stream where nothing passes --------------- */

/* What holds now, a set of enum ba_stream_news. */
unsigned ba_stream_news(struct ba_stream *stream);
/* Each tells in *resume that a paused direction may go on. */
bool ba_stream_read(struct ba_stream *stream, struct ba_buffer *chunk, bool *resume);
size_t ba_stream_write(struct ba_stream *stream, const void *bytes, size_t length, bool *resume);
void ba_stream_write_end(struct ba_stream *stream, bool *resume);
void ba_stream_write_fail(struct ba_stream *stream, const struct ba_error *failure);
/* The producer was told to begin again: from now on it writes anew. */
void ba_stream_told_restart(struct ba_stream *stream);

/* ---- the I/O thread's side ------------------------------------------------ */

enum { BA_STREAM_ABORT = -1, BA_STREAM_PAUSE = -2 };

/* Bytes for the wire: how many, 0 at the end, or one of those above. */
int64_t ba_stream_take(struct ba_stream *stream, char *out, size_t size, struct ba_error *err);
/* How many were taken in this attempt. */
uint64_t ba_stream_taken(const struct ba_stream *stream);
/* Has everything been taken, and the producer ended? */
bool ba_stream_is_out(struct ba_stream *stream);
/* Bytes from the wire. False: the buffer is full, libcurl must keep them and
 * pause; or *err. */
bool ba_stream_give(struct ba_stream *stream, const char *bytes, size_t length,
                    struct ba_error *err);
/* An attempt begins: nothing of the body is taken. */
void ba_stream_begin(struct ba_stream *stream);
/* A new attempt sends the body from its first byte: what is here is forgotten,
 * and the producer is to be told. */
void ba_stream_restart(struct ba_stream *stream);
bool ba_stream_is_paused(struct ba_stream *stream);
void ba_stream_resume(struct ba_stream *stream);
/* The producer has failed: why. */
bool ba_stream_has_failed(struct ba_stream *stream, struct ba_error *why);
/* The call has ended: nothing more is taken from the host. */
void ba_stream_close(struct ba_stream *stream);

void ba_streams_before_fork(void);
void ba_streams_after_fork(void);
void ba_streams_in_child(void);

#endif
