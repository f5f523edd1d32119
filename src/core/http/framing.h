/* How long an answer's body is, as its head says (RFC 9112 6): read strictly,
 * because what two readers take differently is how one answer becomes another's
 * beginning, and how a part of a body is taken for the whole. */
#ifndef BA_FRAMING_H
#define BA_FRAMING_H

#include "batchapi/error.h"
#include "http/headers.h"

/* Of a head that has just come whole: fills head->length and head->chunked.
 * BA_DECODE: lengths that are no numbers or contradict each other, a length
 * beside chunks, any other transfer encoding. */
bool ba_framing_read(struct ba_head *head, struct ba_error *err);
/* Is that the name of a field that frames the body? "Content-Length ", too. */
bool ba_framing_names(const char *line);

#endif
