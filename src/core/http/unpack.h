/* Bodies that are not what they stand for: compressed ones (gzip, deflate), and
 * text in UTF-16. What was fed comes out a piece at a time; memory is one piece
 * and zlib's window. No I/O here.
 *
 *   ba_unpack_feed(unpack, bytes, length);
 *   while(ba_unpack_next(unpack, &piece, &size, &err) && size) …
 */
#ifndef BA_UNPACK_H
#define BA_UNPACK_H

#include "batchapi/error.h"

#include <stddef.h>

enum ba_packing {
  BA_PACKING_NONE,
  BA_PACKING_GZIP,
  BA_PACKING_DEFLATE, /* zlib's form, and the bare one that some servers mean */
  BA_PACKING_UTF16_LE,
  BA_PACKING_UTF16_BE,
  BA_PACKING_UNKNOWN
};

/* What a Content-Encoding header names; NULL is none. */
enum ba_packing ba_packing_named(const char *header);
/* Does the value of an Accept-Encoding header name that one? */
bool ba_accepts(const char *encodings, const char *name);
/* What a text that is to be JSON really is, by its first byte. */
enum ba_packing ba_packing_of_text(unsigned char first);

struct ba_unpack;

/* With `secret` its memory is wiped when it is freed. NULL: no memory (*err). */
struct ba_unpack *ba_unpack_new(enum ba_packing packing, bool secret, struct ba_error *err);
void ba_unpack_free(struct ba_unpack *unpack); /* NULL is allowed */

/* The bytes must stay until they are used up: until next() gives no piece. */
void ba_unpack_feed(struct ba_unpack *unpack, const char *bytes, size_t length);
/* How many of them are not used yet. */
size_t ba_unpack_left(const struct ba_unpack *unpack);
/* The next piece, there until the next call; *length 0: more must be fed.
 * False: the bytes are damaged (BA_DECODE), or there is no memory. */
bool ba_unpack_next(struct ba_unpack *unpack, const char **piece, size_t *length,
                    struct ba_error *err);
/* Is what was fed whole: at its own end mark, or nothing at all? */
bool ba_unpack_is_whole(const struct ba_unpack *unpack);

#endif
