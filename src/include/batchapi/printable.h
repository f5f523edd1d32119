/* Texts that a server has a part in, and that reach a terminal or a log. */
#ifndef BA_PRINTABLE_H
#define BA_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Makes one fit for that, in place: control characters become spaces; those
 * beyond ASCII, those that turn the direction of writing, and bytes that are no
 * UTF-8 become '?'. */
void ba_make_printable(char *text, size_t length);
/* Is there nothing to be made? */
bool ba_is_printable(const char *text, size_t length);

#endif
