/* Everything a C program needs: the engine that carries requests, the
 * credentials they are sent with, and the errors, buffers and clock in their
 * signatures. Installed as <batchapi/batchapi.h>; link with what
 * `pkg-config --libs batchapi` names. The library is the one under
 * the Lua module and knows nothing of Lua. */
#ifndef BA_BATCHAPI_H
#define BA_BATCHAPI_H

#include "alloc.h"
#include "buffer.h"
#include "call.h"
#include "client.h"
#include "clock.h"
#include "credential.h"
#include "error.h"
#include "mailbox.h"
#include "oauth.h"
#include "process.h"
#include "request.h"
#include "version.h"

#endif
