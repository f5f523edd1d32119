/* Base64 (RFC 4648): the plain alphabet with padding, and base64url without,
 * as JOSE wants it. Decoding is strict: any other character, a wrong length or
 * stray bits in the last character refuse the text, so that one value has one
 * spelling. */
#ifndef BA_BASE64_H
#define BA_BASE64_H

#include "buffer.h"
#include "error.h"

#include <stddef.h>

bool ba_base64_encode(struct ba_buffer *out, const void *bytes, size_t length,
                      struct ba_error *err);
bool ba_base64url_encode(struct ba_buffer *out, const void *bytes, size_t length,
                         struct ba_error *err);
/* Both append to `out`; BA_INVALID when the text is not base64. */
bool ba_base64_decode(struct ba_buffer *out, const char *text, size_t length, struct ba_error *err);
bool ba_base64url_decode(struct ba_buffer *out, const char *text, size_t length,
                         struct ba_error *err);

#endif
