/* The core in its process: loaded once, mended after fork, stopped at exit. */
#ifndef BA_PROCESS_H
#define BA_PROCESS_H

#include "error.h"

/* Called once when the module is loaded: starts libcurl, registers the fork
 * handler and, after libcurl's own, the exit handler. Refuses a libcurl whose
 * TLS library is not the OpenSSL that the core runs with. */
bool ba_engine_load(struct ba_error *err);

#endif
