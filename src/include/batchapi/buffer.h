/* Growable bytes with a cap. The cap is an argument of init, so no buffer can
 * exist without one; going over it is BA_TOO_LARGE. A failed append leaves the
 * buffer as it was; its owner still frees it. Zero-initialised memory is an
 * empty buffer with cap 0. One thread at a time.
 *
 * A buffer that was made with ba_buffer_init_secret() wipes every block it
 * leaves behind: when it grows, when it is cleared, when it is freed. */
#ifndef BA_BUFFER_H
#define BA_BUFFER_H

#include "error.h"

#include <stddef.h>

struct ba_buffer {
  char *bytes; /* always NUL-terminated when not NULL; may hold NULs */
  size_t length;
  size_t capacity; /* what bytes has room for, the NUL not counted */
  size_t cap;
  bool secret; /* wipes what it leaves behind */
};

void ba_buffer_init(struct ba_buffer *buffer, size_t cap);
void ba_buffer_init_secret(struct ba_buffer *buffer, size_t cap);
void ba_buffer_free(struct ba_buffer *buffer);              /* keeps the cap; wipes a secret one */
void ba_buffer_wipe(struct ba_buffer *buffer);              /* zeroes what it holds, then frees */
void ba_buffer_renew(struct ba_buffer *buffer, size_t cap); /* init; keeps what memory it has */
void ba_buffer_clear(struct ba_buffer *buffer);             /* length 0, keeps the memory */
bool ba_buffer_reserve(struct ba_buffer *buffer, size_t more, struct ba_error *err);
bool ba_buffer_append(struct ba_buffer *buffer, const void *bytes, size_t length,
                      struct ba_error *err);
bool ba_buffer_puts(struct ba_buffer *buffer, const char *text, struct ba_error *err);
bool ba_buffer_printf(struct ba_buffer *buffer, struct ba_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Gives the bytes away (the caller frees them with ba_free, and wipes those of
 * a secret buffer first); the buffer is empty afterwards. NULL when the buffer never held anything.
 */
char *ba_buffer_take(struct ba_buffer *buffer, size_t *length);

#endif
