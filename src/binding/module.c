/* luaopen_batchapi_core: builds the module table. Each file of the binding
 * owns one noun and gives one function that adds its part. */
#include "binding/base/binding.h"
#include "binding/base/compat.h"

#include "batchapi/files.h"
#include "batchapi/version.h"

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

EXPORT int luaopen_batchapi_core(lua_State *L); /* [-0, +1, e] */

int luaopen_batchapi_core(lua_State *L)
{
  ba_check_version(L);
  ba_fs_watch_exit(); /* before the threads, which end before it */
  lua_newtable(L);
  lua_pushstring(L, ba_version());
  lua_setfield(L, -2, "_VERSION");
  ba_open_call(L);
  ba_open_client(L);
  ba_open_credential(L);
  ba_open_oauth(L);
  ba_open_webhook(L);
  ba_open_work(L);
  ba_open_disk(L);
  ba_open_files(L);
  ba_open_json(L);
  ba_open_ledger(L);
  ba_open_lines(L);
  ba_open_mailbox(L);
  ba_open_process(L);
  ba_open_records(L);
  ba_open_timer(L);
  ba_open_yield(L);
  return 1;
}
