/* Where an answer's body goes: memory, a file, or a stream's reader. Answers of
 * 300 and above always go to memory. One sink for all attempts of a call. */
#ifndef BA_SINK_H
#define BA_SINK_H

#include "batchapi/buffer.h"
#include "http/headers.h"
#include "http/unpack.h"
#include "wire/place.h"
#include "wire/request.h"

enum { BA_REFUSAL_BYTES = 1 << 20 }; /* of an answer of 300 and above that are kept */

struct ba_sink { /* I/O; receive.c hands bytes to it */
  const struct ba_request *request;
  const struct ba_head *head; /* of the answer */
  struct ba_buffer body;      /* memory, and every error answer */
  int fd;                     /* file; -1: not open */
  char *part;                 /* NAME.part; NULL: the target is written in place */
  struct ba_place target;     /* NAME */
  uint64_t done;              /* bytes of the body that are in the file, or were streamed */
  uint64_t skip;              /* stream: bytes of a repeated answer the reader has already */
  int64_t expected;           /* whole length, if a former attempt told; -1 */
  char *validator;            /* of the answer that `done` counts bytes of */
  bool ranged;                /* this attempt asks for what is behind `done` */
  bool begun;                 /* this attempt's first body byte was handled */
  bool to_memory;             /* this attempt's answer goes to memory whatever the sink */
  bool overflowed;            /* an error answer's body was cut at the cap, or cannot be read */
  bool looks;                 /* this attempt's first byte tells whether the text is packed */
  struct ba_unpack *unpack;   /* this attempt's body is packed */
  size_t taken;               /* of the bytes that libcurl will give again, when it was paused */
  const char *piece;          /* unpacked, not yet given on */
  size_t piece_length;
  size_t put;     /* of those that will be given again, how many a pipe has already */
  double blocked; /* since when the pipe has no room; 0: it has */
};

/* Of a zeroed one, but for the memory of `body`. */
void ba_sink_init(struct ba_sink *sink, const struct ba_request *request,
                  const struct ba_head *head);
bool ba_sink_open(struct ba_sink *sink, struct ba_error *err); /* before anything is sent */
void ba_sink_rewind(struct ba_sink *sink);                     /* before each attempt */
/* The first body byte, or none. */
bool ba_sink_begin(struct ba_sink *sink, struct ba_error *err);
bool ba_sink_look(struct ba_sink *sink, unsigned char first, struct ba_error *err); /* that byte */
#define BA_SINK_FULL SIZE_MAX /* a pipe without room: the same bytes must be given again */
/* `length`; 0: failed; or BA_SINK_FULL. */
size_t ba_sink_file_write(struct ba_sink *sink, const char *bytes, size_t length,
                          struct ba_error *err);
/* It came whole, as `came` bytes on the wire. */
bool ba_sink_finish(struct ba_sink *sink, int64_t came, struct ba_error *err);
void ba_sink_distrust(struct ba_sink *sink); /* do not continue what is there */
void ba_sink_close(struct ba_sink *sink);    /* at the call's end; keeps what is in memory */

/* As the caller asked; not the core. */
bool ba_libcurl_unpacks(const struct ba_request *request);

#endif
