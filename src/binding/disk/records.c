/* Lines that prove themselves (batchapi/record.h), between text and tables. */
#include "binding/base/binding.h"

#include "batchapi/base64.h"
#include "batchapi/crc32c.h"
#include "batchapi/record.h"
#include "binding/base/compat.h"
#include "binding/disk/file_handles.h"
#include "binding/json/json_lua.h"

#define BYTES "batchapi.base64"

uint32_t ba_check_seed(lua_State *L, int index)
{
  lua_Number seed = luaL_checknumber(L, index);
  luaL_argcheck(L, seed >= 0 && seed <= 4294967295.0, index, "not a checksum");
  return (uint32_t)seed;
}

uint64_t ba_check_record_number(lua_State *L, int index)
{
  int64_t number;
  luaL_argcheck(L, ba_to_integer(L, index, &number) && number > 0, index, "not a line's number");
  return (uint64_t)number;
}

/* `fields` is an object: its own braces become a comma and nothing. `line` NULL: none. */
static bool append(struct ba_buffer *out, uint64_t number, const struct ba_buffer *fields,
                   const char *line, size_t length, bool strict, uint32_t seed,
                   struct ba_error *err)
{
  size_t start = out->length;
  if(fields->length <= 2 || fields->bytes[0] != '{')
    return ba_error_set(err, BA_INVALID, NULL, "a record has fields");
  bool ok = ba_record_begin(out, number, err) && ba_buffer_append(out, ",", 1, err) &&
            ba_buffer_append(out, fields->bytes + 1, fields->length - 2, err) &&
            (!line || ba_record_add_line(out, line, length, strict, err)) &&
            ba_record_end(out, start, seed, err);
  if(!ok)
    out->length = start;
  return ok;
}

static void swap(struct ba_json_codec *codec)
{
  struct ba_buffer other = codec->scratch;
  codec->scratch = codec->out;
  codec->out = other;
}

/* Encodes a line that is a value into codec->scratch, which no encoding needs. */
static bool encode_line(lua_State *L, struct ba_json_codec *codec, struct ba_error *err)
{
  static const struct ba_json_options plain = {0};
  ba_buffer_clear(&codec->scratch);
  if(!ba_json_encode(L, 5, codec, &plain, err))
    return false;
  swap(codec);
  return true;
}

/* Lua may allocate while values are encoded, and a finaliser write to the same
 * writer: so nothing is appended before all of it is encoded. */
bool ba_record_append(lua_State *L, struct ba_buffer *out, struct ba_error *err)
{
  static const struct ba_json_options plain = {0};
  uint64_t number = ba_check_record_number(L, 3);
  uint32_t seed = ba_check_seed(L, 4);
  size_t length = 0;
  const char *line = lua_type(L, 5) == LUA_TSTRING ? lua_tolstring(L, 5, &length) : NULL;
  bool encoded = !line && !lua_isnoneornil(L, 5);
  bool strict = line && lua_toboolean(L, 6);
  struct ba_json_codec *codec = ba_json_codec_take(L);
  bool ok = (!encoded || encode_line(L, codec, err)) && ba_json_encode(L, 2, codec, &plain, err);
  if(encoded) {
    line = codec->scratch.bytes;
    length = codec->scratch.length;
  }
  ok = ok && append(out, number, &codec->out, line, length, strict, seed, err);
  ba_buffer_clear(&codec->scratch);
  ba_json_codec_release(codec);
  return ok;
}

int ba_push_broken_record(lua_State *L)
{
  static const struct ba_error err = {
      .kind = BA_DECODE, .code = "checksum", .message = "it is not what was written"};
  return ba_fail(L, &err);
}

/* core.record(line, seed [, options]) -> table | nil, message, err   [-0, +1|3, v] */
static int record_read(lua_State *L)
{
  size_t length;
  uint64_t number;
  struct ba_json_options options;
  const char *line = luaL_checklstring(L, 1, &length);
  uint32_t seed = ba_check_seed(L, 2);
  ba_json_decode_options(L, 3, &options);
  if(!ba_record_check(line, length, seed, &number))
    return ba_push_broken_record(L);
  return ba_json_push_value(L, line, length, &options);
}

/* core.crc32c(text) -> number   [-0, +1, v] */
static int crc_of(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  ba_push_integer(L, ba_crc32c(0, text, length));
  return 1;
}

static int bytes_gc(lua_State *L)
{
  ba_buffer_wipe(luaL_checkudata(L, 1, BYTES));
  return 0;
}

/* core.base64_decode(text) -> bytes | nil, message, err   [-0, +1|3, v] */
static int base64_decode(lua_State *L)
{
  size_t length;
  struct ba_error err;
  const char *text = luaL_checklstring(L, 1, &length);
  struct ba_buffer *bytes = ba_new_userdata(L, sizeof(*bytes), BYTES);
  ba_buffer_init(bytes, length + 8);
  if(!ba_base64_decode(bytes, text, length, &err))
    return ba_fail(L, &err);
  lua_pushlstring(L, bytes->length ? bytes->bytes : "", bytes->length);
  return 1;
}

void ba_open_records(lua_State *L)
{
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", bytes_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"record", record_read}, {"crc32c", crc_of}, {"base64_decode", base64_decode}, {NULL, NULL}};
  ba_new_type(L, BYTES, none, meta);
  ba_set_functions(L, functions);
}
