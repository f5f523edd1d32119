/* The version has one place: lua/batchapi/version.lua, a line that is both
 * Lua and C. The core is compiled with it, the Lua layer reads it when it is
 * loaded, and refuses a core that was compiled with another. */
#ifndef BA_VERSION_H
#define BA_VERSION_H

const char *ba_version(void);

/* Of a library: that of the headers the core was built with, and that of the
 * library that runs here. */
struct ba_two_versions {
  const char *built, *running;
};
struct ba_two_versions ba_curl_versions(void);
struct ba_two_versions ba_tls_versions(void);
struct ba_two_versions ba_zlib_versions(void);

#endif
