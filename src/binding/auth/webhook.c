/* core.webhook_verify: the signature check of Standard Webhooks, for
 * lua/batchapi/webhook.lua, which finds the headers. */
#include "binding/base/binding.h"

#include "batchapi/error.h"
#include "batchapi/webhook.h"

#include <string.h>

/* An absent header is nil; one with a NUL byte cannot be genuine. */
static const char *header_argument(lua_State *L, int index)
{
  size_t length = 0;
  const char *text = luaL_optlstring(L, index, NULL, &length);
  luaL_argcheck(L, !text || strlen(text) == length, index, "a NUL byte in a header");
  return text;
}

/* core.webhook_verify(id, timestamp, signatures, body, secret, tolerance, now)
 *   -> true | nil, message, err   [-0, +1..3, e] */
static int webhook_verify(lua_State *L)
{
  size_t secret_length = 0;
  struct ba_webhook hook = {.id = header_argument(L, 1),
                            .timestamp = header_argument(L, 2),
                            .signatures = header_argument(L, 3)};
  hook.body = luaL_checklstring(L, 4, &hook.body_length);
  const char *secret = luaL_checklstring(L, 5, &secret_length);
  struct ba_error err = {0};
  if(!ba_webhook_verify(&hook, secret, secret_length, luaL_checknumber(L, 6),
                        luaL_checknumber(L, 7), &err))
    return ba_fail(L, &err);
  lua_pushboolean(L, 1);
  return 1;
}

void ba_open_webhook(lua_State *L)
{
  lua_pushcfunction(L, webhook_verify);
  lua_setfield(L, -2, "webhook_verify");
}
