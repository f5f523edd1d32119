/* core.credential{ kind = … }: a userdata that owns one reference to a
 * credential of the core. The secret's bytes are copied into C and are never
 * given back. */
#include "binding/base/binding.h"
#include "binding/base/compat.h"

#include "batchapi/credential.h"
#include "batchapi/error.h"
#include "batchapi/oauth.h"

#include <string.h>

#define CREDENTIAL_TYPE "batchapi.credential"

struct box {
  struct ba_credential *credential; /* NULL: collected */
};

struct ba_credential *ba_check_credential(lua_State *L, int index)
{
  struct box *box = luaL_checkudata(L, index, CREDENTIAL_TYPE);
  luaL_argcheck(L, box->credential != NULL, index, "a credential that is gone");
  return box->credential;
}

/* ---- reading the description --------------------------------------------- */

/* The string at `name` of the table at 1, left on the stack so that it stays
 * alive. NULL when absent. [-0, +1, e] */
static const char *text_field(lua_State *L, const char *name, size_t *length)
{
  lua_getfield(L, 1, name);
  if(lua_isnil(L, -1))
    return NULL;
  if(lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "credential: %s must be a string, not a %s", name, luaL_typename(L, -1));
  return lua_tolstring(L, -1, length);
}

static const char *required_field(lua_State *L, const char *name, size_t *length)
{
  const char *text = text_field(L, name, length);
  if(!text)
    luaL_error(L, "credential: %s is missing", name);
  return text;
}

/* For what the core takes as a C string. */
static const char *plain_field(lua_State *L, const char *name)
{
  size_t length = 0;
  const char *text = text_field(L, name, &length);
  if(text && strlen(text) != length)
    luaL_error(L, "credential: %s contains a NUL byte", name);
  return text;
}

/* An option that is not known is not ignored. */
static void check_keys(lua_State *L, const char *const *known)
{
  lua_pushnil(L);
  while(lua_next(L, 1)) {
    lua_pop(L, 1);
    const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
    size_t i = 0;
    while(known[i] && strcmp(known[i], key) != 0)
      i++;
    if(!known[i])
      luaL_error(L, "credential: unknown field '%s'", key);
  }
}

/* ---- the kinds ----------------------------------------------------------- */

typedef struct ba_credential *(*builder)(lua_State *L, struct ba_error *err);

static struct ba_credential *build_none(lua_State *L, struct ba_error *err)
{
  static const char *const known[] = {"kind", NULL};
  check_keys(L, known);
  return ba_credential_none(err);
}

static struct ba_credential *build_bearer(lua_State *L, struct ba_error *err)
{
  static const char *const known[] = {"kind", "token", "file", NULL};
  check_keys(L, known);
  const char *file = plain_field(L, "file");
  if(file)
    return ba_credential_bearer_file(file, err);
  size_t length = 0;
  const char *token = required_field(L, "token", &length);
  return ba_credential_bearer(token, length, err);
}

static struct ba_credential *build_basic(lua_State *L, struct ba_error *err)
{
  static const char *const known[] = {"kind", "user", "password", "file", NULL};
  check_keys(L, known);
  size_t user_length = 0, length = 0;
  const char *user = required_field(L, "user", &user_length);
  const char *file = plain_field(L, "file");
  if(file)
    return ba_credential_basic_file(user, user_length, file, err);
  const char *password = required_field(L, "password", &length);
  return ba_credential_basic(user, user_length, password, length, err);
}

static struct ba_credential *build_header(lua_State *L, struct ba_error *err)
{
  static const char *const known[] = {"kind", "name", "value", "file", NULL};
  check_keys(L, known);
  const char *name = plain_field(L, "name");
  if(!name)
    luaL_error(L, "credential: name is missing");
  const char *file = plain_field(L, "file");
  if(file)
    return ba_credential_header_file(name, file, err);
  size_t length = 0;
  const char *value = required_field(L, "value", &length);
  return ba_credential_header(name, value, length, err);
}

static struct ba_credential *build_function(lua_State *L, struct ba_error *err)
{
  static const char *const known[] = {"kind", NULL};
  check_keys(L, known);
  return ba_credential_function(err);
}

/* A table is written as JSON by the module's own codec: core.encode, found
 * through the module table, which is the constructor's upvalue. [-0, +1, e] */
static const char *encoded_config(lua_State *L, size_t *length)
{
  lua_getfield(L, lua_upvalueindex(1), "encode");
  lua_getfield(L, 1, "app_config");
  lua_call(L, 1, 2);
  if(lua_isnil(L, -2))
    luaL_error(L, "credential: app_config cannot be written as JSON: %s", lua_tostring(L, -1));
  lua_pop(L, 1);
  return lua_tolstring(L, -1, length);
}

static struct ba_credential *build_oauth_client(lua_State *L, struct ba_error *err)
{
  static const char *const known[] = {"kind",  "app_config",     "app_config_json",
                                      "scope", "well_known_uri", NULL};
  check_keys(L, known);
  struct ba_oauth_client_options options = {0};
  options.scope = plain_field(L, "scope");
  options.well_known_uri = plain_field(L, "well_known_uri");
  options.json = text_field(L, "app_config_json", &options.json_length);
  lua_getfield(L, 1, "app_config");
  if(lua_istable(L, -1))
    options.json = encoded_config(L, &options.json_length);
  else if(!options.json)
    options.path = plain_field(L, "app_config");
  if(!options.json && !options.path)
    luaL_error(L, "credential: app_config is missing");
  return ba_credential_oauth_client(&options, err);
}

/* The texts live on the stack. [-0, +?, e] */
static void refresh_options(lua_State *L, struct ba_oauth_refresh_options *options)
{
  static const char *const known[] = {"kind",          "token_url",     "client_id",
                                      "client_secret", "refresh_token", "redirect_uri",
                                      "scope",         "sourced",       NULL};
  check_keys(L, known);
  memset(options, 0, sizeof(*options));
  lua_getfield(L, 1, "sourced");
  options->sourced = lua_toboolean(L, -1);
  lua_pop(L, 1);
  options->token_url = plain_field(L, "token_url");
  options->client_id = plain_field(L, "client_id");
  if(!options->token_url || !options->client_id)
    luaL_error(L, "credential: %s is missing", options->token_url ? "client_id" : "token_url");
  options->client_secret = text_field(L, "client_secret", &options->client_secret_length);
  options->refresh_token = required_field(L, "refresh_token", &options->refresh_token_length);
  options->redirect_uri = plain_field(L, "redirect_uri");
  options->scope = plain_field(L, "scope");
}

static struct ba_credential *build_oauth_refresh(lua_State *L, struct ba_error *err)
{
  struct ba_oauth_refresh_options options;
  refresh_options(L, &options);
  return ba_credential_oauth_refresh(&options, err);
}

static const struct {
  const char *kind;
  builder build;
} builders[] = {
    {"none", build_none},
    {"bearer", build_bearer},
    {"basic", build_basic},
    {"header", build_header},
    {"function", build_function},
    {"oauth_client", build_oauth_client},
    {"oauth_refresh", build_oauth_refresh},
};

static builder find_builder(lua_State *L)
{
  const char *kind = plain_field(L, "kind");
  for(size_t i = 0; kind && i < sizeof(builders) / sizeof(builders[0]); i++) {
    if(strcmp(builders[i].kind, kind) == 0)
      return builders[i].build;
  }
  luaL_error(L, "credential: unknown kind '%s'", kind ? kind : "nil");
  return NULL;
}

/* core.credential(description) -> credential | nil, message, err   [-0, +1..3, e] */
static int credential_new(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  builder build = find_builder(L);
  struct box *box = ba_new_userdata(L, sizeof(*box), CREDENTIAL_TYPE);
  lua_insert(L, 2);
  struct ba_error err = {0};
  box->credential = build(L, &err);
  if(!box->credential)
    return ba_fail(L, &err);
  lua_settop(L, 2);
  return 1;
}

/* core.is_grant(description, credential) -> boolean   Does that credential have
 * what the description of kind "oauth_refresh" names? One that is collected does
 * not: as a weak key it is seen once more after its finaliser. [-0, +1, e] */
static int credential_is_grant(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  struct box *box = luaL_checkudata(L, 2, CREDENTIAL_TYPE);
  struct ba_oauth_refresh_options options;
  refresh_options(L, &options);
  lua_pushboolean(L, box->credential && ba_credential_is_grant(box->credential, &options));
  return 1;
}

/* ---- methods ------------------------------------------------------------- */

/* credential:bind(url, [allow_insecure]) -> true | nil, message, err   [-0, +1..3, e] */
static int credential_bind(lua_State *L)
{
  struct ba_credential *credential = ba_check_credential(L, 1);
  const char *url = luaL_checkstring(L, 2);
  struct ba_error err = {0};
  if(!ba_credential_bind(credential, url, lua_toboolean(L, 3), &err))
    return ba_fail(L, &err);
  lua_pushboolean(L, 1);
  return 1;
}

/* credential:allows(url) -> boolean   [-0, +1, e] */
static int credential_allows(lua_State *L)
{
  struct ba_credential *credential = ba_check_credential(L, 1);
  lua_pushboolean(L, ba_credential_allows(credential, luaL_checkstring(L, 2)));
  return 1;
}

/* credential:kind() -> string   [-0, +1, e] */
static int credential_kind(lua_State *L)
{
  lua_pushstring(L, ba_credential_kind(ba_check_credential(L, 1)));
  return 1;
}

/* credential:warnings() -> array of strings   [-0, +1, e] */
static int credential_warnings(lua_State *L)
{
  struct ba_credential *credential = ba_check_credential(L, 1);
  const char *warning;
  lua_newtable(L);
  for(int i = 0; (warning = ba_credential_warning(credential, (size_t)i)) != NULL; i++) {
    lua_pushstring(L, warning);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* credential:guard(text) -> true | nil, message, err   Another secret to hide.
 * [-0, +1|3, e] */
static int credential_guard(lua_State *L)
{
  struct ba_credential *credential = ba_check_credential(L, 1);
  size_t length;
  luaL_checktype(L, 2, LUA_TSTRING);
  const char *text = lua_tolstring(L, 2, &length);
  struct ba_error err;
  if(!ba_credential_guard(credential, text, length, &err))
    return ba_fail(L, &err);
  lua_pushboolean(L, 1);
  return 1;
}

/* credential:redact(text) -> text with every secret of it as '*'   [-0, +1, e] */
static int credential_redact(lua_State *L)
{
  struct ba_credential *credential = ba_check_credential(L, 1);
  size_t length = 0;
  const char *text = luaL_checklstring(L, 2, &length);
  char *copy = lua_newuserdata(L, length + 1);
  memcpy(copy, text, length + 1);
  ba_credential_redact(credential, copy, length);
  lua_pushlstring(L, copy, length);
  return 1;
}

/* tostring(credential)   [-0, +1, e] */
static int credential_tostring(lua_State *L)
{
  lua_pushfstring(L, "batchapi credential (%s)", ba_credential_kind(ba_check_credential(L, 1)));
  return 1;
}

/* [-0, +0, e] */
static int credential_gc(lua_State *L)
{
  struct box *box = luaL_checkudata(L, 1, CREDENTIAL_TYPE);
  ba_credential_release(box->credential);
  box->credential = NULL;
  return 0;
}

static const luaL_Reg methods[] = {
    {"allows", credential_allows},
    {"bind", credential_bind},
    {"kind", credential_kind},
    {"guard", credential_guard},
    {"redact", credential_redact},
    {"warnings", credential_warnings},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", credential_gc}, {"__tostring", credential_tostring}, {NULL, NULL}};

void ba_open_credential(lua_State *L)
{
  ba_new_type(L, CREDENTIAL_TYPE, methods, metamethods);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, credential_new, 1);
  lua_setfield(L, -2, "credential");
  lua_pushcfunction(L, credential_is_grant);
  lua_setfield(L, -2, "is_grant");
}
