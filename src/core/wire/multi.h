/* What the loop lends to the rest of this room. I/O thread only. */
#ifndef BA_MULTI_H
#define BA_MULTI_H

#include "wire/network.h"

#include <curl/curl.h>

CURLM *ba_multi(void);
/* What the transfers of clients with this wish have in common; NULL: no memory. */
CURLSH *ba_multi_share(enum ba_version version);
/* Lets libcurl read from a socket, whether or not it is ready. How many transfers run then. */
int ba_multi_poke(int fd);

#endif
