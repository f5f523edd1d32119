/* Secrets: where they come from and what may be in one.
 *
 * A secret lives in a buffer made with ba_buffer_init_secret(), which wipes
 * every block it leaves behind. Nothing here ever puts a secret, or a part of
 * one, into a message. */
#ifndef BA_SECRET_H
#define BA_SECRET_H

#include "batchapi/buffer.h"
#include "batchapi/error.h"

#include <stddef.h>

#define BA_SECRET_MAX (64u << 10) /* one key, token or password; a token answer */
#define BA_SECRET_SHORTEST 4      /* a shorter one would blacken texts and hide nothing */
#define BA_SECRET_SURE 16         /* what a good answer holds of this length is no chance */

/* Refuses (BA_INVALID) what cannot stand in one header line: nothing at all,
 * CR, LF, NUL and other control characters (a tab is allowed). `what` names
 * the option: "api_key". */
bool ba_secret_check(const char *bytes, size_t length, const char *what, struct ba_error *err);

/* Reads a whole file into `out` without any buffer in between, less one line
 * end at its end. BA_IO with the errno's name if it cannot be read, BA_INVALID
 * if it is empty
 * or if others than its owner can write to it, BA_TOO_LARGE over the buffer's cap.
 * Links are followed: secrets of containers are links. *exposed (NULL is
 * allowed) tells whether others than the owner may read it. */
bool ba_secret_read_file(const char *path, const char *what, struct ba_buffer *out, bool *exposed,
                         struct ba_error *err);

/* Overwrites every occurrence of the secret in `text` with '*', also where it
 * is percent-encoded or escaped for JSON, and where the text was cut in the
 * middle of it (eight bytes or more of it), in time that grows with the text
 * alone. A secret shorter than four bytes is left: it would blacken the text
 * and hide nothing. */
void ba_secret_redact(const char *secret, size_t secret_length, char *text, size_t length);

#endif
