/* The version has one place: lua/batchapi/version.lua, a line that is both
 * Lua and C. The core is compiled with it, the Lua layer reads it when it is
 * loaded, and refuses a core that was compiled with another. */
#ifndef BA_VERSION_H
#define BA_VERSION_H

const char *ba_version(void);

#endif
