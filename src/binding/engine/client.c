/* core.client(settings): what calls share. */
#include "binding/base/options.h"
#include "binding/engine/handle.h"
#include "binding/json/json_lua.h"

#include <string.h>

#define CLIENT_TYPE "batchapi.core.client"

struct ba_client_handle *ba_check_client(lua_State *L, int index)
{
  struct ba_client_handle *handle = ba_check_object(L, index, CLIENT_TYPE);
  luaL_argcheck(L, handle->client && !handle->closed, index, "the client is closed");
  return handle;
}

/* ---- settings ------------------------------------------------------------ */

enum {
  CA_FILE,
  CLIENT_CERT,
  CLIENT_KEY,
  CREDENTIAL,
  HOME,
  HTTP_VERSION,
  LIMITS,
  MAX_CONNECTIONS,
  PROXY,
  UNIX_SOCKET,
  USER_AGENT,
  FIELDS
};

static const struct ba_field setting_fields[] = {
    {"ca_file", BA_TEXT},    {"client_cert", BA_TEXT},
    {"client_key", BA_TEXT}, {"credential", BA_USERDATA},
    {"home", BA_TEXT},       {"http_version", BA_TEXT},
    {"limits", BA_TABLE},    {"max_connections", BA_COUNT},
    {"proxy", BA_TEXT},      {"unix_socket", BA_TEXT},
    {"user_agent", BA_TEXT},
};

/* The limit described by the table on the top. [-0, +0, e] */
static void read_limit(lua_State *L, struct ba_limit_settings *limit, char *kept)
{
  enum { CAPACITY, NAME, PER_MINUTE, COUNT };
  static const struct ba_field fields[] = {
      {"capacity", BA_COUNT}, {"name", BA_TEXT}, {"per_minute", BA_COUNT}};
  int at = ba_fields(L, -1, fields, COUNT, "limit");
  const char *name = ba_field_text(L, at + NAME);
  if(!name || !*name || strlen(name) >= BA_LIMIT_NAME_MAX)
    luaL_error(L, "limit: a name of at most %d bytes must be given", BA_LIMIT_NAME_MAX - 1);
  memcpy(kept, name, strlen(name) + 1);
  limit->name = kept;
  limit->capacity = (unsigned)ba_field_count(L, at + CAPACITY, 0);
  limit->per_minute = (unsigned)ba_field_count(L, at + PER_MINUTE, 0);
  lua_settop(L, at - 1);
}

/* [-0, +0, e] */
static void read_limits(lua_State *L, int slot, struct ba_client_settings *settings,
                        struct ba_client_handle *handle)
{
  int count = lua_isnil(L, slot) ? 0 : (int)lua_rawlen(L, slot);
  if(count > BA_LIMITS_MAX)
    luaL_error(L, "settings: at most %d limits", BA_LIMITS_MAX);
  for(int i = 0; i < count; i++) {
    lua_rawgeti(L, slot, i + 1);
    read_limit(L, &settings->limits[i], handle->limits[i]);
    lua_pop(L, 1);
  }
}

/* The table at `index`; its strings are borrowed. [-0, +n, e] */
static void read_settings(lua_State *L, int index, struct ba_client_settings *settings,
                          struct ba_client_handle *handle)
{
  int at = ba_fields(L, index, setting_fields, FIELDS, "settings");
  memset(settings, 0, sizeof(*settings));
  settings->max_connections = (unsigned)ba_field_count(L, at + MAX_CONNECTIONS, 0);
  settings->proxy = ba_field_text(L, at + PROXY);
  settings->ca_file = ba_field_text(L, at + CA_FILE);
  settings->home = ba_field_text(L, at + HOME);
  settings->client_cert = ba_field_text(L, at + CLIENT_CERT);
  settings->client_key = ba_field_text(L, at + CLIENT_KEY);
  settings->unix_socket = ba_field_text(L, at + UNIX_SOCKET);
  settings->http_version = ba_field_text(L, at + HTTP_VERSION);
  settings->user_agent = ba_field_text(L, at + USER_AGENT);
  if(!lua_isnil(L, at + CREDENTIAL))
    settings->credential = ba_check_credential(L, at + CREDENTIAL);
  read_limits(L, at + LIMITS, settings, handle);
}

/* The handle keeps the credential for token_put() and warnings. */
static void keep_credential(struct ba_client_handle *handle, struct ba_credential *credential)
{
  handle->credential = credential ? ba_credential_retain(credential) : NULL;
}

/* core.client(settings) -> client | nil, message, err   [-0, +1..3, e] */
static int client_new(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct ba_client_handle *handle = ba_new_userdata(L, sizeof(*handle), CLIENT_TYPE);
  struct ba_client_settings settings;
  struct ba_error err = {0};
  read_settings(L, 1, &settings, handle);
  handle->client = ba_client_new(&settings, &err);
  if(!handle->client)
    return ba_fail(L, &err);
  keep_credential(handle, settings.credential);
  lua_settop(L, 2);
  return 1;
}

/* client:derive(settings) -> client | nil, message, err   Other settings (all
 * of them; a credential left out is none), the same limits and statistics.
 * [-0, +1..3, e] */
static int client_derive(lua_State *L)
{
  struct ba_client_handle *base = ba_check_client(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  struct ba_client_handle *handle = ba_new_userdata(L, sizeof(*handle), CLIENT_TYPE);
  struct ba_client_settings settings;
  struct ba_error err = {0};
  lua_getfield(L, 2, "limits");
  if(!lua_isnil(L, -1))
    luaL_error(L, "settings: limits are shared with the client that this one is derived from");
  read_settings(L, 2, &settings, handle);
  memcpy(handle->limits, base->limits, sizeof(handle->limits));
  handle->client = ba_client_derive(base->client, &settings, &err);
  if(!handle->client)
    return ba_fail(L, &err);
  keep_credential(handle, settings.credential);
  handle->warnings = settings.credential == base->credential ? base->warnings : 0;
  lua_settop(L, 3);
  return 1;
}

/* ---- calls --------------------------------------------------------------- */

/* client:prepare(request) -> prepared | nil, message, err   [-0, +1..3, e] */
static int client_prepare(lua_State *L)
{
  struct ba_client_handle *client = ba_check_client(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  struct ba_error err = {0};
  return ba_prepare_request(L, 2, client, &err) ? 1 : ba_fail(L, &err);
}

/* A request like `base` whose body is the JSON of the value at 5: the text
 * goes from the codec's memory into the request's. [-0, +n, e] */
static struct ba_request *request_with_json(lua_State *L, struct ba_request *base, const char *url,
                                            struct ba_error *err)
{
  struct ba_request *request = NULL;
  struct ba_json_codec *codec = ba_json_codec_take(L);
  if(ba_json_encode(L, 5, codec, NULL, err))
    request = ba_request_like(base, url, codec->out.bytes, codec->out.length, err);
  ba_json_codec_release(codec);
  return request;
}

/* The request of the arguments 3 to 5. [-0, +n, e] */
static bool take_request(lua_State *L, struct ba_request **out,
                         const struct ba_client_handle *client, struct ba_error *err)
{
  if(lua_istable(L, 3))
    return ba_build_request(L, 3, out, client, err);
  size_t url_length = 0, length = 0;
  struct ba_request *base = ba_prepared_request(L, 3);
  const char *url = luaL_checklstring(L, 4, &url_length);
  if(strlen(url) != url_length)
    return ba_error_set(err, BA_INVALID, NULL, "a URL holds no NUL byte");
  if(lua_istable(L, 5)) {
    *out = request_with_json(L, base, url, err);
  } else {
    const char *body = luaL_optlstring(L, 5, NULL, &length);
    *out = ba_request_like(base, url, body, length, err);
  }
  return *out != NULL;
}

/* client:start(mailbox, request [, url, body, spare]) -> call, id | nil,
 * message, err   A prepared request takes its URL and body from here, a table
 * as JSON; `spare` is a call that was released: it is the one that is given.
 * [-0, +2..3, e] */
static int client_start(lua_State *L)
{
  struct ba_client_handle *client = ba_check_client(L, 1);
  struct ba_mailbox *mailbox = ba_check_mailbox(L, 2);
  lua_settop(L, 6);
  struct ba_call_handle *handle = ba_new_call(L, 6);
  struct ba_error err = {0};
  if(!take_request(L, &handle->request, client, &err))
    return ba_fail(L, &err);
  struct ba_request *request = handle->request;
  handle->request = NULL; /* consumed, also on failure */
  handle->call = ba_call_start(client->client, mailbox, request, &err);
  if(!handle->call)
    return ba_fail(L, &err);
  if(client->credential)
    handle->credential = ba_credential_retain(client->credential);
  lua_settop(L, 7);
  ba_push_integer(L, (int64_t)ba_call_id(handle->call));
  return 2;
}

/* client:warning() -> string | nil   What the credential has to say about
 * itself; each is told once. [-0, +1, e] */
static int client_warning(lua_State *L)
{
  struct ba_client_handle *handle = ba_check_client(L, 1);
  const char *warning =
      handle->credential ? ba_credential_warning(handle->credential, handle->warnings) : NULL;
  handle->warnings += warning != NULL;
  if(warning)
    lua_pushstring(L, warning);
  else
    lua_pushnil(L);
  return 1;
}

/* client:stats() -> table   [-0, +1, e] */
static int client_stats(lua_State *L)
{
  struct ba_client_handle *handle = ba_check_object(L, 1, CLIENT_TYPE);
  struct ba_client_stats stats;
  luaL_argcheck(L, handle->client != NULL, 1, "a client that was not made");
  ba_client_stats(handle->client, &stats);
  const struct {
    const char *name;
    uint64_t value;
  } counts[] = {
      {"requests", stats.requests},
      {"attempts", stats.attempts},
      {"succeeded", stats.succeeded},
      {"failed", stats.failed},
      {"connections_opened", stats.connections_opened},
      {"connections_reused", stats.connections_reused},
      {"bytes_sent", stats.bytes_sent},
      {"bytes_received", stats.bytes_received},
      {"token_requests", stats.token_requests},
      {"in_flight", stats.in_flight},
      {"queued", stats.queued},
  };
  lua_createtable(L, 0, 12);
  for(size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
    ba_push_integer(L, (int64_t)counts[i].value);
    lua_setfield(L, -2, counts[i].name);
  }
  lua_createtable(L, 0, BA_RETRY_REASONS);
  for(int i = 0; i < BA_RETRY_REASONS; i++) {
    ba_push_integer(L, (int64_t)stats.retries[i]);
    lua_setfield(L, -2, ba_retry_reason_name((enum ba_retry_reason)i));
  }
  lua_setfield(L, -2, "retries");
  return 1;
}

/* ---- life ---------------------------------------------------------------- */

/* client:close()   Its calls end as closed; may be called twice. [-0, +0, e] */
static int client_close(lua_State *L)
{
  struct ba_client_handle *handle = ba_check_object(L, 1, CLIENT_TYPE);
  if(handle->client && !handle->closed)
    ba_client_close(handle->client);
  handle->closed = true;
  return 0;
}

/* client:closed() -> boolean   [-0, +1, e] */
static int client_closed(lua_State *L)
{
  struct ba_client_handle *handle = ba_check_object(L, 1, CLIENT_TYPE);
  lua_pushboolean(L, handle->closed || !handle->client);
  return 1;
}

/* __gc, __close   [-0, +0, e] */
static int client_gc(lua_State *L)
{
  struct ba_client_handle *handle = ba_check_object(L, 1, CLIENT_TYPE);
  struct ba_client *client = handle->client;
  struct ba_credential *credential = handle->credential;
  handle->closed = true;
  handle->client = NULL;
  handle->credential = NULL;
  if(client)
    ba_client_release(client);
  ba_credential_release(credential);
  return 0;
}

/* [-0, +1, e] */
static int client_tostring(lua_State *L)
{
  struct ba_client_handle *handle = ba_check_object(L, 1, CLIENT_TYPE);
  if(!handle->client || handle->closed) {
    lua_pushliteral(L, CLIENT_TYPE " (closed)");
    return 1;
  }
  struct ba_client_stats stats;
  ba_client_stats(handle->client, &stats);
  lua_pushfstring(L, CLIENT_TYPE " (%d in flight)", (int)stats.in_flight);
  return 1;
}

static const luaL_Reg methods[] = {
    {"close", client_close},     {"closed", client_closed},
    {"derive", client_derive},   {"prepare", client_prepare},
    {"start", client_start},     {"stats", client_stats},
    {"warning", client_warning}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", client_gc}, {"__tostring", client_tostring}, {NULL, NULL}};

void ba_open_client(lua_State *L)
{
  ba_new_type(L, CLIENT_TYPE, methods, metamethods);
  ba_open_prepared(L);
  lua_pushcfunction(L, client_new);
  lua_setfield(L, -2, "client");
}
