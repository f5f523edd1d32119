/* core.lines and core.reader: JSONL, split and decoded in place. A reader is
 * the same over a file. */
#include "binding/base/binding.h"

#include "batchapi/files.h"
#include "batchapi/lines.h"
#include "batchapi/record.h"
#include "binding/base/compat.h"
#include "binding/base/options.h"
#include "binding/disk/file_handles.h"
#include "binding/engine/handle.h"
#include "binding/json/json_lua.h"

#include <string.h>

#define LINES "batchapi.lines"
#define READER "batchapi.reader"

enum { CHUNK = 256 << 10, FIELDS_AT_ONCE = 1024 };

struct reader {
  struct ba_lines lines;
  struct ba_file *file; /* of a reader; NULL: closed */
  bool is_reader, closed;
  bool deferred;    /* the file is read by the file thread */
  bool starved;     /* deferred: the next bytes must be fetched first */
  bool filling;     /* deferred: they are being fetched */
  bool pinned;      /* its bytes are being decoded: they must not move */
  const char *line; /* the last line given, as long as it is there */
  size_t length;
};

/* ---- what both have in common ------------------------------------------ */

static struct reader *to_reader(lua_State *L)
{
  struct reader *reader = ba_test_userdata(L, 1, READER);
  if(!reader)
    reader = ba_test_userdata(L, 1, LINES);
  luaL_argcheck(L, reader, 1, "lines or a reader expected");
  return reader;
}

static struct reader *check_reader(lua_State *L)
{
  struct reader *reader = to_reader(L);
  if(reader->closed)
    luaL_error(L, reader->is_reader ? "the reader is closed" : "the lines are closed");
  if(reader->pinned)
    luaL_error(L, "called by a finaliser while a line of it is being decoded");
  return reader;
}

static int reader_gc(lua_State *L)
{
  struct reader *reader = to_reader(L);
  ba_lines_free(&reader->lines);
  ba_file_release(reader->file);
  reader->file = NULL;
  reader->line = NULL;
  reader->closed = true;
  return 0;
}

/* One more chunk from the file. False: failed. */
static bool fill(struct reader *reader, struct ba_error *err)
{
  size_t length;
  char *room = ba_lines_room(&reader->lines, CHUNK, err);
  if(!room || !ba_file_read(reader->file, room, CHUNK, &length, err))
    return false;
  ba_lines_added(&reader->lines, length);
  if(length == 0)
    ba_lines_finish(&reader->lines);
  return true;
}

/* The next line to reader->line, or why there is none. */
static enum ba_line next_line(struct reader *reader, struct ba_error *err)
{
  for(;;) {
    reader->line = NULL;
    enum ba_line line = ba_lines_next(&reader->lines, &reader->line, &reader->length, err);
    reader->starved = line == BA_LINE_MORE;
    if(line != BA_LINE_MORE || !reader->is_reader || reader->deferred)
      return line;
    if(!fill(reader, err))
      return BA_LINE_FAILED;
  }
}

/* On the top are nil, message, err: puts the line's number (and the file's
 * name) into the last two. */
static int add_position(lua_State *L, const struct reader *reader)
{
  if(reader->is_reader)
    lua_pushfstring(L, "%s, line ", ba_file_path(reader->file));
  else
    lua_pushliteral(L, "line ");
  ba_push_integer(L, (int64_t)reader->lines.number);
  lua_pushliteral(L, ": ");
  lua_pushvalue(L, -5);
  lua_concat(L, 4);
  lua_replace(L, -3);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "message");
  ba_push_integer(L, (int64_t)reader->lines.number);
  lua_setfield(L, -2, "line");
  return 3;
}

/* No line: nil alone when there is nothing (yet), or the failure, which names
 * the file whose line is too long. */
static int push_none(lua_State *L, const struct reader *reader, enum ba_line line,
                     const struct ba_error *err)
{
  if(line == BA_LINE_FAILED && reader->is_reader && err->kind == BA_TOO_LARGE) {
    struct ba_error named;
    ba_error_set(&named, err->kind, err->code, "%s, %s", ba_file_path(reader->file), err->message);
    ba_fail(L, &named);
    ba_push_integer(L, (int64_t)reader->lines.number);
    lua_setfield(L, -2, "line");
    return 3;
  }
  if(line == BA_LINE_FAILED)
    return ba_fail(L, err);
  lua_pushnil(L);
  return 1;
}

/* lines:next() -> string | nil | nil, message, err   [-0, +1|3, v] */
static int reader_next(lua_State *L)
{
  struct reader *reader = check_reader(L);
  struct ba_error err;
  enum ba_line line = next_line(reader, &err);
  if(line != BA_LINE_READY)
    return push_none(L, reader, line, &err);
  lua_pushlstring(L, reader->line, reader->length);
  return 1;
}

struct decoding {
  struct reader *reader;
  struct ba_json_options options;
};

static int decode_line(lua_State *L)
{
  struct decoding *decoding = lua_touserdata(L, 1);
  struct reader *reader = decoding->reader;
  int count = ba_json_push_value(L, reader->line, reader->length, &decoding->options);
  return count == 1 ? 1 : add_position(L, reader);
}

/* The value of the line, decoded while its bytes are pinned; what lies on the
 * stack above 1 goes.   [-n, +1|3, e] */
static int push_decoded(lua_State *L, struct decoding *decoding)
{
  /* protected, so that the pin goes also when Lua runs out of memory */
  lua_settop(L, 1);
  lua_pushcfunction(L, decode_line);
  lua_pushlightuserdata(L, decoding);
  decoding->reader->pinned = true;
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  decoding->reader->pinned = false;
  return status ? lua_error(L) : lua_gettop(L) - 1;
}

/* lines:json([options]) -> value | nil | nil, message, err   [-0, +1|3, v] */
static int reader_json(lua_State *L)
{
  struct decoding decoding = {.reader = check_reader(L)};
  struct ba_error err;
  ba_json_answer_options(L, 2, &decoding.options);
  enum ba_line line = next_line(decoding.reader, &err);
  if(line != BA_LINE_READY)
    return push_none(L, decoding.reader, line, &err);
  return push_decoded(L, &decoding);
}

static int read_proven(lua_State *L, int (*push)(lua_State *L, struct decoding *decoding))
{
  struct decoding decoding = {.reader = check_reader(L)};
  struct reader *reader = decoding.reader;
  struct ba_error err;
  uint64_t number;
  uint32_t seed = ba_check_seed(L, 2);
  ba_json_decode_options(L, 3, &decoding.options);
  enum ba_line line = next_line(reader, &err);
  if(line != BA_LINE_READY)
    return push_none(L, reader, line, &err);
  if(ba_record_check(reader->line, reader->length, seed, &number))
    return push(L, &decoding);
  ba_push_broken_record(L);
  return add_position(L, reader);
}

/* lines:proven(seed [, options]) -> table | nil | nil, message, err: of a line that proves
 * itself   [-0, +1|3, v] */
static int reader_proven(lua_State *L)
{
  return read_proven(L, push_decoded);
}

/* The fields of a record's own, without what the service sent.   [-0, +1|3, m] */
static int push_fields(lua_State *L, struct decoding *decoding)
{
  char fields[FIELDS_AT_ONCE + 1];
  const struct reader *reader = decoding->reader;
  size_t length = ba_record_fields(reader->line, reader->length);
  if(length == 0 || length >= FIELDS_AT_ONCE)
    return push_decoded(L, decoding);
  memcpy(fields, reader->line, length);
  fields[length] = '}';
  int count = ba_json_push_value(L, fields, length + 1, &decoding->options);
  return count == 1 ? 1 : push_decoded(L, decoding);
}

/* lines:fields(seed [, options]) -> table | nil | nil, message, err: the same, but of what the
 * service sent it need not hold anything   [-0, +1|3, v] */
static int reader_fields(lua_State *L)
{
  return read_proven(L, push_fields);
}

/* lines:cut() -> boolean: the last line given had no line feed   [-0, +1, v] */
static int reader_cut(lua_State *L)
{
  lua_pushboolean(L, check_reader(L)->lines.cut);
  return 1;
}

/* lines:raw() -> string | nil: the bytes of the last line   [-0, +1, v] */
static int reader_raw(lua_State *L)
{
  struct reader *reader = check_reader(L);
  if(reader->line)
    lua_pushlstring(L, reader->line, reader->length);
  else
    lua_pushnil(L);
  return 1;
}

/* lines:number() -> number of the last line, from 1   [-0, +1, v] */
static int reader_number(lua_State *L)
{
  ba_push_integer(L, (int64_t)check_reader(L)->lines.number);
  return 1;
}

/* lines:offset() -> bytes before the next line   [-0, +1, v] */
static int reader_offset(lua_State *L)
{
  ba_push_integer(L, (int64_t)check_reader(L)->lines.offset);
  return 1;
}

/* reader:starved() -> boolean: nil meant "fill me", not the end   [-0, +1, v] */
static int reader_starved(lua_State *L)
{
  lua_pushboolean(L, check_reader(L)->starved);
  return 1;
}

static int reader_tostring(lua_State *L)
{
  struct reader *reader = to_reader(L);
  const char *type = reader->is_reader ? READER : LINES;
  if(reader->closed)
    lua_pushfstring(L, "%s (closed)", type);
  else
    lua_pushfstring(L, "%s (%d lines)", type, (int)reader->lines.number);
  return 1;
}

/* ---- lines ------------------------------------------------------------- */

static struct reader *check_lines(lua_State *L)
{
  struct reader *reader = check_reader(L);
  luaL_argcheck(L, !reader->is_reader, 1, "lines expected, got a reader");
  return reader;
}

/* lines:push(bytes) -> true | nil, message, err   [-0, +1|3, v] */
static int lines_push(lua_State *L)
{
  struct reader *reader = check_lines(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  struct ba_error err;
  reader->line = NULL;
  if(!ba_lines_push(&reader->lines, bytes, length, &err))
    return ba_fail(L, &err);
  lua_pushboolean(L, 1);
  return 1;
}

/* lines:take(call) -> did anything come? | nil, message, err   Takes the memory
 * that a stream call has filled. [-0, +1|3, v] */
static int lines_take(lua_State *L)
{
  struct reader *reader = check_lines(L);
  struct ba_call_handle *handle = ba_check_call_handle(L, 2);
  struct ba_error err;
  bool came = handle->chunk.length > 0 || ba_call_read(handle->call, &handle->chunk);
  if(came) {
    /* the chunk keeps its memory, for the call to fill again */
    reader->line = NULL;
    if(!ba_lines_push(&reader->lines, handle->chunk.bytes, handle->chunk.length, &err))
      return ba_fail(L, &err);
    ba_buffer_clear(&handle->chunk);
  }
  lua_pushboolean(L, came);
  return 1;
}

/* lines:finish(): what is left is the last line   [-0, +0, v] */
static int lines_finish(lua_State *L)
{
  ba_lines_finish(&check_lines(L)->lines);
  return 0;
}

static size_t option_size(lua_State *L, int index, const char *name, int64_t largest)
{
  lua_getfield(L, index, name);
  int64_t value = lua_isnil(L, -1) ? 0 : ba_option_integer(L, name, 0, largest);
  lua_pop(L, 1);
  return (size_t)value;
}

/* Raises for an option that is not among the (NULL-terminated) names. */
static void check_names(lua_State *L, int index, const char *const *names)
{
  lua_pushnil(L);
  while(lua_next(L, index)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    const char *const *known = names;
    while(*known && strcmp(*known, name) != 0)
      known++;
    if(!*known)
      luaL_error(L, "unknown option '%s'", name);
    lua_pop(L, 1);
  }
}

#define MAX_LINE_BYTES ((int64_t)1 << 30)

/* core.lines{ max_line_bytes = } -> lines   [-0, +1, v] */
static int lines_new(lua_State *L)
{
  static const char *const names[] = {"max_line_bytes", NULL};
  size_t max_line = 0;
  if(!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    check_names(L, 1, names);
    max_line = option_size(L, 1, "max_line_bytes", MAX_LINE_BYTES);
  }
  struct reader *reader = ba_new_userdata(L, sizeof(*reader), LINES);
  ba_lines_init(&reader->lines, max_line);
  return 1;
}

/* ---- reader ------------------------------------------------------------ */

struct ba_file *ba_reader_begin_fill(lua_State *L, int index)
{
  struct reader *reader = luaL_checkudata(L, index, READER);
  luaL_argcheck(L, !reader->closed, index, "the reader is closed");
  luaL_argcheck(L, reader->deferred, index, "the reader is not deferred");
  luaL_argcheck(L, !reader->filling, index, "the reader is being filled already");
  reader->filling = true;
  return ba_file_retain(reader->file);
}

/* reader:take(work) -> bytes, 0 at the end | nil, message, err   What a "fill"
 * has fetched. [-0, +1|3, v] */
static int reader_take(lua_State *L)
{
  struct reader *reader = check_reader(L);
  struct ba_buffer chunk = {0};
  struct ba_error err;
  luaL_argcheck(L, reader->filling, 1, "the reader is not being filled");
  bool ok = ba_work_take_fill(L, 2, reader->file, &chunk, &err);
  size_t length = chunk.length;
  reader->filling = false;
  if(!ok)
    return ba_fail(L, &err);
  reader->line = NULL;
  if(length == 0)
    ba_lines_finish(&reader->lines);
  if(!ba_lines_adopt(&reader->lines, &chunk, &err))
    return ba_fail(L, &err);
  ba_push_integer(L, (int64_t)length);
  return 1;
}

void ba_push_reader(lua_State *L, struct ba_file **file, size_t max_line, uint64_t offset)
{
  struct reader *reader = ba_new_userdata(L, sizeof(*reader), READER);
  ba_lines_init(&reader->lines, max_line);
  ba_lines_measure(&reader->lines);
  reader->is_reader = reader->deferred = true;
  reader->lines.offset = offset;
  reader->file = *file;
  *file = NULL;
}

/* reader:close() -> true   [-0, +1, v] */
static int reader_close(lua_State *L)
{
  struct reader *reader = to_reader(L);
  if(reader->pinned)
    return luaL_error(L, "closed by a finaliser while a line of it is being decoded");
  reader_gc(L);
  lua_pushboolean(L, 1);
  return 1;
}

void ba_reader_options(lua_State *L, int index, size_t *max_line, uint64_t *offset)
{
  static const char *const names[] = {"max_line_bytes", "offset", NULL};
  *max_line = 0;
  *offset = 0;
  if(lua_isnoneornil(L, index))
    return;
  luaL_checktype(L, index, LUA_TTABLE);
  check_names(L, index, names);
  *max_line = option_size(L, index, "max_line_bytes", MAX_LINE_BYTES);
  *offset = option_size(L, index, "offset", (int64_t)1 << 53);
}

/* core.reader([disk,] name [, { max_line_bytes =, offset = }])
 *   -> reader | nil, message, err   [-0, +1|3, v] */
static int reader_new(lua_State *L)
{
  int at = 1;
  struct ba_disk *disk = ba_disk_argument(L, &at);
  const char *name = luaL_checkstring(L, at);
  size_t max_line;
  uint64_t offset;
  ba_reader_options(L, at + 1, &max_line, &offset);
  struct reader *reader = ba_new_userdata(L, sizeof(*reader), READER);
  ba_lines_init(&reader->lines, max_line);
  ba_lines_measure(&reader->lines);
  reader->is_reader = true;
  reader->lines.offset = offset;
  struct ba_error err;
  reader->file = ba_file_open(disk, name, BA_FILE_READ, &err);
  if(!reader->file)
    return ba_fail(L, &err);
  ba_file_seek(reader->file, offset);
  return 1;
}

void ba_open_lines(lua_State *L)
{
  static const luaL_Reg line_methods[] = {{"push", lines_push},
                                          {"take", lines_take},
                                          {"finish", lines_finish},
                                          {"next", reader_next},
                                          {"json", reader_json},
                                          {"raw", reader_raw},
                                          {"number", reader_number},
                                          {"offset", reader_offset},
                                          {"proven", reader_proven},
                                          {"fields", reader_fields},
                                          {"cut", reader_cut},
                                          {"close", reader_close},
                                          {NULL, NULL}};
  static const luaL_Reg reader_methods[] = {
      {"next", reader_next},     {"json", reader_json},     {"raw", reader_raw},
      {"number", reader_number}, {"offset", reader_offset}, {"starved", reader_starved},
      {"take", reader_take},     {"proven", reader_proven}, {"fields", reader_fields},
      {"cut", reader_cut},       {"close", reader_close},   {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", reader_gc}, {"__tostring", reader_tostring}, {NULL, NULL}};
  ba_new_type(L, LINES, line_methods, metamethods);
  ba_new_type(L, READER, reader_methods, metamethods);
  lua_pushcfunction(L, lines_new);
  lua_setfield(L, -2, "lines");
  lua_pushcfunction(L, reader_new);
  lua_setfield(L, -2, "reader");
}
