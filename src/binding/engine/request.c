/* From a request table to a struct ba_request: one to be started, or one that
 * many are made like. */
#include "binding/base/disk_type.h"
#include "binding/base/options.h"
#include "binding/engine/handle.h"

#include <math.h>
#include <string.h>

enum {
  ALLOW_REDIRECTS,
  BODY,
  BODY_FILE,
  BODY_STREAM,
  CODE_PATHS,
  CONNECT_TIMEOUT,
  DISK,
  FINAL_CODES,
  HEADERS,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_RETRIES,
  METHOD,
  NO_CREDENTIAL,
  PARTS,
  RAW,
  RECORD_ATTEMPTS,
  REPEATS,
  STALL_TIMEOUT,
  STREAM,
  TIMEOUT,
  TO,
  UNACCEPTED,
  UNPACK,
  URL,
  WEIGHTS,
  FIELDS
};

static const struct ba_field request_fields[] = {
    {"allow_redirects", BA_BOOLEAN},
    {"body", BA_BYTES},
    {"body_file", BA_TEXT},
    {"body_stream", BA_TABLE},
    {"code_paths", BA_TABLE},
    {"connect_timeout", BA_SECONDS},
    {"disk", BA_USERDATA},
    {"final_codes", BA_TABLE},
    {"headers", BA_TABLE},
    {"max_body_bytes", BA_COUNT},
    {"max_header_bytes", BA_COUNT},
    {"max_retries", BA_COUNT},
    {"method", BA_TEXT},
    {"no_credential", BA_BOOLEAN},
    {"parts", BA_TABLE},
    {"raw", BA_BOOLEAN},
    {"record_attempts", BA_BOOLEAN},
    {"repeats", BA_TEXT},
    {"stall_timeout", BA_SECONDS},
    {"stream", BA_BOOLEAN},
    {"timeout", BA_SECONDS},
    {"to", BA_TEXT},
    {"unaccepted", BA_TABLE},
    {"unpack", BA_BOOLEAN},
    {"url", BA_TEXT},
    {"weights", BA_TABLE},
};

/* ---- headers ------------------------------------------------------------- */

/* The string at position `n` of the pair on the top, left on the stack. */
static const char *pair_text(lua_State *L, int n, size_t *length)
{
  lua_rawgeti(L, -n, n);
  if(lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "request: headers must be pairs of strings");
  return lua_tolstring(L, -1, length);
}

static bool add_headers(lua_State *L, int slot, struct ba_request *request, struct ba_error *err)
{
  int count = lua_isnil(L, slot) ? 0 : (int)lua_rawlen(L, slot);
  bool ok = true;
  for(int i = 1; ok && i <= count; i++) {
    size_t name_length = 0, length = 0;
    lua_rawgeti(L, slot, i);
    luaL_checktype(L, -1, LUA_TTABLE);
    const char *name = pair_text(L, 1, &name_length);
    const char *value = pair_text(L, 2, &length);
    if(strlen(name) != name_length)
      ok = ba_error_set(err, BA_INVALID, "", "a header's name contains a NUL byte");
    else
      ok = ba_request_header(request, name, value, length, err);
    lua_pop(L, 3);
  }
  return ok;
}

/* ---- bodies -------------------------------------------------------------- */

static bool add_stream(lua_State *L, int slot, struct ba_request *request, struct ba_error *err)
{
  enum { LENGTH, RESTARTABLE, COUNT };
  static const struct ba_field fields[] = {{"length", BA_COUNT}, {"restartable", BA_BOOLEAN}};
  int at = ba_fields(L, slot, fields, COUNT, "body_stream");
  int64_t length = lua_isnil(L, at + LENGTH) ? -1 : (int64_t)ba_field_count(L, at + LENGTH, 0);
  bool ok = ba_request_body_stream(request, length, lua_toboolean(L, at + RESTARTABLE), err);
  lua_settop(L, at - 1);
  return ok;
}

/* The part described by the table on the top. */
static bool add_part(lua_State *L, struct ba_request *request, struct ba_error *err)
{
  enum { CONTENT, FILE_PATH, FILENAME, NAME, TYPE, COUNT };
  static const struct ba_field fields[] = {{"content", BA_BYTES},
                                           {"file", BA_TEXT},
                                           {"filename", BA_TEXT},
                                           {"name", BA_TEXT},
                                           {"type", BA_TEXT}};
  int at = ba_fields(L, -1, fields, COUNT, "part");
  const char *name = ba_field_text(L, at + NAME);
  const char *path = ba_field_text(L, at + FILE_PATH);
  const char *filename = ba_field_text(L, at + FILENAME);
  const char *type = ba_field_text(L, at + TYPE);
  size_t length = 0;
  const char *content = ba_field_bytes(L, at + CONTENT, &length);
  if(!name || !path == !content)
    luaL_error(L, "part: a name and either content or file must be given");
  bool ok = path ? ba_request_part_file(request, name, path, filename, type, err)
                 : ba_request_part(request, name, content, length, filename, type, err);
  lua_settop(L, at - 1);
  return ok;
}

static bool add_parts(lua_State *L, int slot, struct ba_request *request, struct ba_error *err)
{
  int count = (int)lua_rawlen(L, slot);
  bool ok = true;
  for(int i = 1; ok && i <= count; i++) {
    lua_rawgeti(L, slot, i);
    ok = add_part(L, request, err);
    lua_pop(L, 1);
  }
  return ok;
}

static bool add_body(lua_State *L, int at, struct ba_request *request, struct ba_error *err)
{
  static const int kinds[] = {BODY, BODY_FILE, BODY_STREAM, PARTS};
  int given = 0;
  for(int i = 0; i < 4; i++)
    given += !lua_isnil(L, at + kinds[i]);
  if(given > 1)
    luaL_error(L, "request: give one of body, body_file, body_stream and parts");
  if(!lua_isnil(L, at + BODY)) {
    size_t length = 0;
    const char *bytes = ba_field_bytes(L, at + BODY, &length);
    return ba_request_body(request, bytes, length, err);
  }
  if(!lua_isnil(L, at + BODY_FILE))
    return ba_request_body_file(request, ba_field_text(L, at + BODY_FILE), err);
  if(!lua_isnil(L, at + BODY_STREAM))
    return add_stream(L, at + BODY_STREAM, request, err);
  return lua_isnil(L, at + PARTS) || add_parts(L, at + PARTS, request, err);
}

static bool add_sink(lua_State *L, int at, struct ba_request *request, struct ba_error *err)
{
  const char *path = ba_field_text(L, at + TO);
  bool stream = lua_toboolean(L, at + STREAM);
  if(path && stream)
    luaL_error(L, "request: give one of to and stream");
  if(path)
    return ba_request_to_file(request, path, err);
  return !stream || ba_request_to_stream(request, err);
}

/* ---- options ------------------------------------------------------------- */

/* The array of strings in a slot as a NULL-terminated list, which lives in a
 * userdata left on the stack. NULL when absent. [-0, +0..1, e] */
static const char *const *text_list(lua_State *L, int slot, const char *what)
{
  if(lua_isnil(L, slot))
    return NULL;
  int count = (int)lua_rawlen(L, slot);
  const char **list = lua_newuserdata(L, ((size_t)count + 1) * sizeof(*list));
  for(int i = 0; i < count; i++) {
    lua_rawgeti(L, slot, i + 1);
    if(lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "request: %s must be an array of strings", what);
    list[i] = lua_tostring(L, -1); /* lives in the array */
    lua_pop(L, 1);
  }
  list[count] = NULL;
  return list;
}

/* The same for statuses, zero-terminated. [-0, +0..1, e] */
static const int *status_list(lua_State *L, int slot)
{
  if(lua_isnil(L, slot))
    return NULL;
  int count = (int)lua_rawlen(L, slot);
  int *list = lua_newuserdata(L, ((size_t)count + 1) * sizeof(*list));
  for(int i = 0; i < count; i++) {
    int64_t status = 0;
    lua_rawgeti(L, slot, i + 1);
    if(!ba_to_integer(L, -1, &status) || status < 100 || status > 599)
      luaL_error(L, "request: unaccepted must be an array of HTTP statuses");
    list[i] = (int)status;
    lua_pop(L, 1);
  }
  list[count] = 0;
  return list;
}

/* weights = { read = 5 }: by the names of the client's limits. [-0, +0, e] */
static void read_weights(lua_State *L, int slot, const struct ba_client_handle *client,
                         struct ba_request_options *options)
{
  lua_pushnil(L);
  while(!lua_isnil(L, slot) && lua_next(L, slot)) {
    int64_t weight = 0;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    int limit = 0;
    while(limit < BA_LIMITS_MAX && (!*name || strcmp(client->limits[limit], name) != 0))
      limit++;
    if(limit == BA_LIMITS_MAX)
      luaL_error(L, "request: weights names a limit '%s' that the client does not have", name);
    if(!ba_to_integer(L, -1, &weight) || weight < 0 || weight > 1000000)
      luaL_error(L, "request: the weight of '%s' must be a whole number", name);
    options->weights[limit] = (unsigned)weight;
    lua_pop(L, 1);
  }
  if(lua_isnil(L, slot))
    lua_pop(L, 1);
}

static bool set_options(lua_State *L, int at, struct ba_request *request,
                        const struct ba_client_handle *client, struct ba_error *err)
{
  static const char *const repeats[] = {"safe", "idempotent", "never_sent", NULL};
  struct ba_request_options options;
  ba_request_options_init(&options);
  options.timeout = ba_field_seconds(L, at + TIMEOUT, options.timeout);
  options.connect_timeout = ba_field_seconds(L, at + CONNECT_TIMEOUT, options.connect_timeout);
  options.stall_timeout = ba_field_seconds(L, at + STALL_TIMEOUT, options.stall_timeout);
  if(!lua_isnil(L, at + MAX_RETRIES))
    options.max_retries = (int)ba_field_count(L, at + MAX_RETRIES, 0);
  options.repeat =
      (enum ba_repeat)ba_choice(L, at + REPEATS, repeats, (int)options.repeat, "request: repeats");
  options.max_body_bytes = ba_field_count(L, at + MAX_BODY_BYTES, options.max_body_bytes);
  options.max_header_bytes = ba_field_count(L, at + MAX_HEADER_BYTES, options.max_header_bytes);
  options.record_attempts = lua_toboolean(L, at + RECORD_ATTEMPTS);
  options.allow_redirects = lua_toboolean(L, at + ALLOW_REDIRECTS);
  options.raw = lua_toboolean(L, at + RAW);
  options.no_credential = lua_toboolean(L, at + NO_CREDENTIAL);
  options.unpack = lua_toboolean(L, at + UNPACK);
  read_weights(L, at + WEIGHTS, client, &options);
  options.unaccepted = status_list(L, at + UNACCEPTED);
  options.final_codes = text_list(L, at + FINAL_CODES, "final_codes");
  options.code_paths = text_list(L, at + CODE_PATHS, "code_paths");
  return ba_request_set_options(request, &options, err);
}

bool ba_build_request(lua_State *L, int index, struct ba_request **out,
                      const struct ba_client_handle *client, struct ba_error *err)
{
  int at = ba_fields(L, index, request_fields, FIELDS, "request");
  const char *method = ba_field_text(L, at + METHOD);
  const char *url = ba_field_text(L, at + URL);
  if(!method || !url)
    luaL_error(L, "request: method and url must be given");
  struct ba_request *request = *out = ba_request_new(method, url, err);
  if(request)
    ba_request_on_disk(request, ba_test_disk(L, at + DISK));
  return request && add_headers(L, at + HEADERS, request, err) && add_body(L, at, request, err) &&
         add_sink(L, at, request, err) && set_options(L, at, request, client, err);
}

/* ---- prepared requests ---------------------------------------------------- */

#define PREPARED_TYPE "batchapi.prepared"

struct prepared {
  struct ba_request *base; /* NULL: not made */
};

/* What differs from call to call, or would be the client's own affair. */
static void refuse_the_varying(lua_State *L, int at)
{
  static const int varying[] = {URL,   BODY, BODY_FILE, BODY_STREAM, DISK,
                                PARTS, TO,   STREAM,    WEIGHTS};
  for(size_t i = 0; i < sizeof(varying) / sizeof(varying[0]); i++) {
    if(!lua_isnil(L, at + varying[i]))
      luaL_error(L, "request: %s cannot be prepared", request_fields[varying[i]].name);
  }
}

bool ba_prepare_request(lua_State *L, int index, const struct ba_client_handle *client,
                        struct ba_error *err)
{
  struct prepared *prepared = ba_new_userdata(L, sizeof(*prepared), PREPARED_TYPE);
  int at = ba_fields(L, index, request_fields, FIELDS, "request");
  refuse_the_varying(L, at);
  const char *method = ba_field_text(L, at + METHOD);
  if(!method)
    luaL_error(L, "request: method must be given");
  struct ba_request *base = prepared->base = ba_request_new(method, NULL, err);
  bool ok =
      base && add_headers(L, at + HEADERS, base, err) && set_options(L, at, base, client, err);
  lua_settop(L, at - 1);
  return ok;
}

struct ba_request *ba_prepared_request(lua_State *L, int index)
{
  struct prepared *prepared = luaL_checkudata(L, index, PREPARED_TYPE);
  luaL_argcheck(L, prepared->base != NULL, index, "a request that was not made");
  return prepared->base;
}

/* __gc, __close   [-0, +0, e] */
static int prepared_gc(lua_State *L)
{
  struct prepared *prepared = luaL_checkudata(L, 1, PREPARED_TYPE);
  struct ba_request *base = prepared->base;
  prepared->base = NULL;
  ba_request_delete(base);
  return 0;
}

void ba_open_prepared(lua_State *L)
{
  static const luaL_Reg methods[] = {{NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__gc", prepared_gc}, {NULL, NULL}};
  ba_new_type(L, PREPARED_TYPE, methods, metamethods);
}
