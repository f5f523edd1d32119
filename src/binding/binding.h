/* What the files of the binding share. The only folder that includes lua.h,
 * and it includes neither curl nor OpenSSL (tools/check-boundaries). */
#ifndef BA_BINDING_H
#define BA_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#endif
