/* What comes in: libcurl's callbacks for head, body and the moment of sending. */
#ifndef BA_RECEIVE_H
#define BA_RECEIVE_H

#include "wire/handle.h"

CURLcode ba_receive_setup(struct ba_handle *handle);

#endif
