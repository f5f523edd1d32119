/* Reads named fields out of one JSON object in one strict pass: for JWKs,
 * configuration files, discovery documents and token answers, all of which are
 * small flat objects whose fields may be secrets. Every copy it makes lives in
 * a secret buffer. Unknown fields are passed over (RFC 6749, 5.1; RFC 7517, 4);
 * a known one that is there twice is refused, since two readers could take
 * different ones. */
#ifndef BA_FIELDS_H
#define BA_FIELDS_H

#include "batchapi/buffer.h"
#include "batchapi/error.h"

#include <stddef.h>

#define BA_FIELDS_DEPTH 32 /* arrays and objects in one another */

enum ba_field_type { BA_FIELD_ABSENT, BA_FIELD_STRING, BA_FIELD_NUMBER, BA_FIELD_OTHER };

struct ba_field {
  const char *name;
  enum ba_field_type type; /* null counts as absent */
  struct ba_buffer text;   /* BA_FIELD_STRING; secret; NUL-terminated, may hold NULs */
  double number;           /* BA_FIELD_NUMBER */
};

/* Fills the fields, which must have their names set and be zero otherwise, from
 * the object at the top (`within` NULL) or from the object that is the top's
 * member `within`. BA_DECODE, with no byte of the document in the message, when
 * the document is not JSON; a member `within` that is missing or is no object
 * leaves all fields absent. The caller ends with ba_fields_free() in any case. */
bool ba_fields_read(const char *json, size_t length, const char *within, struct ba_field *fields,
                    size_t count, struct ba_error *err);
void ba_fields_free(struct ba_field *fields, size_t count); /* wipes */

#endif
