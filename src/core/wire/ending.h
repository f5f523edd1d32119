/* Does an answer that libcurl calls whole end where its server says that it
 * ends?
 *
 * Before 8.1 libcurl calls an answer of HTTP/2 whole, too, when the session has
 * broken off: a frame that breaks a rule makes nghttp2 end it, and libcurl
 * takes that for a goodbye behind the last answer. An answer with a length is
 * counted; one without is believed only if its connection has outlived it, or
 * if its text ends by itself. */
#ifndef BA_ENDING_H
#define BA_ENDING_H

#include "wire/transfer_state.h"

/* I/O: of a transfer that has ended well, before that is given back. */
bool ba_ending_is_known(const struct ba_transfer *transfer, struct ba_error *err);
/* An attempt that streams begins; it is over. */
void ba_ending_watch(struct ba_transfer *transfer);
void ba_ending_unwatch(struct ba_transfer *transfer);
void ba_endings_in_child(void);

#endif
