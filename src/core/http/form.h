/* application/x-www-form-urlencoded, as RFC 6749 (appendix B) sends it. */
#ifndef BA_FORM_H
#define BA_FORM_H

#include "batchapi/buffer.h"
#include "batchapi/error.h"

#include <stddef.h>

/* Appends "name=value", with '&' before it when the body is not empty. Only
 * letters, digits, "*-._" stay as they are; a space becomes '+'. */
bool ba_form_add(struct ba_buffer *body, const char *name, const char *value, size_t length,
                 struct ba_error *err);
/* Only the value. */
bool ba_form_encode(struct ba_buffer *out, const char *value, size_t length, struct ba_error *err);

#endif
