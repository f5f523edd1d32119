/* JSON between text and Lua values, in one pass each way. Rules: design 1.2
 * and 2.6; the README's section "JSON" states them for users. */
#ifndef BA_BINDING_JSON_H
#define BA_BINDING_JSON_H

#include "binding.h"

#include "buffer.h"
#include "error.h"
#include "json.h"

struct ba_json_options {
  unsigned max_depth;          /* 0: BA_JSON_DEFAULT_DEPTH */
  bool keep_null;              /* decode: null in objects becomes core.null, not absent */
  bool sort_keys;              /* encode: keys in byte order, the same bytes every time */
  struct ba_buffer *keys;      /* sort_keys: memory for them, of the codec's */
  struct ba_json_mends *mends; /* decode: leniently; what was mended. NULL: strictly */
};

/* Reads an options table at `index` (nil or none: the defaults); an unknown
 * name or a wrong type raises.   [-0, +0, v] */
void ba_json_decode_options(lua_State *L, int index, struct ba_json_options *options);
void ba_json_encode_options(lua_State *L, int index, struct ba_json_options *options);

/* Pushes the value of one document and returns 1, or pushes nil, message, err
 * and returns 3. The bytes must stay where they are during the call although
 * Lua may collect: whoever owns them is on the stack or is C. NULL options are
 * the defaults.   [-0, +1|3, m] */
int ba_json_push_value(lua_State *L, const char *bytes, size_t length,
                       const struct ba_json_options *options);

/* Appends the value at `index` to `out`, which belongs to a userdata, for Lua
 * may run out of memory here. On failure the buffer is as long as before and
 * *err (BA_INVALID, BA_TOO_LARGE, BA_NOMEM) names the path of the value.
 *   [-0, +0, m] */
bool ba_json_append(lua_State *L, int index, struct ba_buffer *out,
                    const struct ba_json_options *options, struct ba_error *err);

/* Sorted keys of one open object. Few keys lie on the Lua stack, where they
 * are safe from the collector, and `keys` has their order (a struct of json_
 * sort.c each); many go to an array of Lua's. */
struct ba_json_sorted {
  size_t begin; /* of its keys in the buffer */
  int count;
  bool listed; /* an array on the stack holds them */
};

/* Pushes the keys of the table on the top. False: one is not a string, or no
 * memory (*err), and the stack is as before.   [-0, +n, m] */
bool ba_json_sort_keys(lua_State *L, struct ba_buffer *keys, struct ba_json_sorted *sorted,
                       struct ba_error *err);
/* Pushes the key of that number, from 1; the table is at the index.  [-0, +1, -] */
void ba_json_push_sorted(lua_State *L, int table, const struct ba_buffer *keys,
                         const struct ba_json_sorted *sorted, int number);

/* What a Lua state keeps between calls: memory for texts, and of the documents
 * that were decoded, for those to come will be like them: the keys, which key
 * followed which, and how large the tables at each place were. */
enum { BA_JSON_KEYS = 256, BA_JSON_HINTS = 512, BA_JSON_GUESSES = 1024 };
enum { BA_JSON_LIST_ARRAY_MT = 2 * BA_JSON_KEYS + 1, BA_JSON_LIST = BA_JSON_LIST_ARRAY_MT };
struct ba_json_key {
  const char *text, *value;    /* of Lua strings that the codec's list holds */
  size_t length, value_length; /* 0: none */
  uint32_t missed;             /* a hash of the last value that was another */
};
struct ba_json_codec {
  struct ba_buffer scratch;               /* decode: a string with escapes */
  struct ba_buffer out;                   /* encode */
  struct ba_buffer keys;                  /* encode, sorted */
  bool busy;                              /* a finaliser that Lua runs meanwhile takes another */
  bool finalised;                         /* the state closes: what is used is freed at once */
  unsigned short hints[BA_JSON_HINTS];    /* by place: members of the table there */
  unsigned char guesses[BA_JSON_GUESSES]; /* by place and key: the next key's number */
  struct ba_json_key known[BA_JSON_KEYS]; /* keys seen before */
  int list; /* registry reference: keys, from 1; then their values; the arrays' metatable */
};

/* Pushes the state's codec, marked busy, and returns it; release it after the
 * last use (a codec that a Lua error left busy is replaced).  [-0, +1, m] */
struct ba_json_codec *ba_json_codec_take(lua_State *L);
void ba_json_codec_release(struct ba_json_codec *codec);

/* Pushes the metatable that marks arrays.   [-0, +1, -] */
void ba_json_push_array_mt(lua_State *L);

#endif
