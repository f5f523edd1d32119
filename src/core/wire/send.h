/* What goes out: method, body, and the headers that follow from them. */
#ifndef BA_SEND_H
#define BA_SEND_H

#include "wire/handle.h"

/* ready: only what differs between requests of one shape. */
CURLcode ba_send_setup(struct ba_transfer *transfer, struct ba_handle *handle, bool ready);

#endif
