/* Redirects: whether a transfer goes where its answer points. */
#ifndef BA_REDIRECT_H
#define BA_REDIRECT_H

#include "wire/transfer_state.h"

/* After an answer that is a redirect: true if the transfer goes where it points. */
bool ba_redirect_follow(struct ba_transfer *transfer);
/* Back to the request's own URL; false: it was there. */
bool ba_redirect_forget(struct ba_transfer *transfer);
/* ", which points to PLACE: reason" of a redirect that is not followed, else "". */
void ba_redirect_explain(const struct ba_transfer *transfer, char *out, size_t size);
/* Does the answer send a person to a login page elsewhere? */
bool ba_redirect_to_login(const struct ba_transfer *transfer);
/* May this header of the request go to another origin? */
bool ba_redirect_header_travels(const char *line);

#endif
