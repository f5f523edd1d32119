/* JSON between text and Lua values, in one pass each way. Rules: design 1.2
 * and 2.6; the README's section "JSON" states them for users. */
#ifndef BA_BINDING_JSON_H
#define BA_BINDING_JSON_H

#include "binding/base/binding.h"

#include "batchapi/buffer.h"
#include "batchapi/error.h"
#include "batchapi/json.h"

/* What an integer becomes that this Lua's numbers do not hold. */
enum ba_json_big { BA_JSON_BIG_FLOAT, BA_JSON_BIG_TEXT, BA_JSON_BIG_CDATA };

/* An answer's document may be small and cost much: 64 kB in gzip are 22 million
 * empty arrays, 1.9 GB. So values are counted, an array or object, which takes
 * as much memory, as BA_JSON_TABLE_VALUES. */
#define BA_JSON_ANSWER_VALUES 8000000 /* of one answer, or one line of it */
#define BA_JSON_TABLE_VALUES 8

struct ba_json_options {
  unsigned max_depth;          /* 0: BA_JSON_DEFAULT_DEPTH */
  int64_t max_values;          /* decode; 0: no bound */
  bool keep_null;              /* decode: null in objects becomes core.null, not absent */
  bool unsorted;               /* encode: keys as Lua's hashing has them */
  enum ba_json_big big;        /* decode */
  struct ba_json_mends *mends; /* decode: leniently; what was mended. NULL: strictly */
};

/* Reads an options table at `index` (nil or none: the defaults); an unknown
 * name or a wrong type raises.   [-0, +0, v] */
void ba_json_decode_options(lua_State *L, int index, struct ba_json_options *options);
/* The same for what a server sent: at most BA_JSON_ANSWER_VALUES if it says nothing. */
void ba_json_answer_options(lua_State *L, int index, struct ba_json_options *options);
void ba_json_encode_options(lua_State *L, int index, struct ba_json_options *options);

/* Pushes the value of one document and returns 1, or pushes nil, message, err
 * and returns 3. The bytes must stay where they are during the call although
 * Lua may collect: whoever owns them is on the stack or is C. NULL options are
 * the defaults.   [-0, +1|3, m] */
int ba_json_push_value(lua_State *L, const char *bytes, size_t length,
                       const struct ba_json_options *options);

struct ba_json_codec;

/* Writes the value at `index` into codec->out, which is empty. The codec was
 * taken, for Lua may run out of memory here. On failure *err (BA_INVALID,
 * BA_TOO_LARGE, BA_NOMEM) names the path of the value.   [-0, +0, m] */
bool ba_json_encode(lua_State *L, int index, struct ba_json_codec *codec,
                    const struct ba_json_options *options, struct ba_error *err);

/* The members of one open object in their order. Few of them lie on the Lua
 * stack, keys and values, where they are safe from the collector, and `keys` has
 * their order (a struct of json_sort.c each); of many the keys go to an array of
 * Lua's. */
struct ba_json_members {
  size_t begin; /* of its keys in the buffer */
  int count;
  bool listed; /* an array on the stack holds them */
};

/* Pushes the members of the table on the top; `ordered`: in the order that its
 * metatable has. False: a key is not a string, or no memory (*err).  [-0, +n, m] */
bool ba_json_sort(lua_State *L, struct ba_buffer *keys, bool ordered,
                  struct ba_json_members *members, struct ba_error *err);
/* By its number, from 1; the table is at the index. The text lives as long as
 * the members lie on the stack.  [-0, +0, -] and [-0, +1, -] */
const char *ba_json_member_key(lua_State *L, int table, const struct ba_buffer *keys,
                               const struct ba_json_members *members, int number, size_t *length);
void ba_json_push_member(lua_State *L, int table, const struct ba_buffer *keys,
                         const struct ba_json_members *members, int number);

/* ---- json_foreign.c ------------------------------------------------------------ */

#define BA_JSON_ORDER "__batchapi_order" /* of a metatable: an array of keys */
/* Of a metatable of ours: the text that a table was decoded from, and which table that
 * was. A copy of it, as checks make one where they change something, is another. */
#define BA_JSON_TEXT "__batchapi_text"
#define BA_JSON_TEXT_OF "__batchapi_text_of"

enum ba_json_look {
  BA_JSON_TABLE,   /* its own fields say what it is */
  BA_JSON_MARKED,  /* an array, also when it is empty */
  BA_JSON_ORDERED, /* an object whose metatable has the order of its keys */
  BA_JSON_NOTHING, /* another library's null */
  BA_JSON_AS_TEXT, /* as it was decoded: ba_json_push_text() */
  BA_JSON_REFUSED
};

/* What the table on the top is, from its metatable. One that is read through
 * __pairs or __len is replaced by a plain copy. Refused: *why says why.  [-0, +0, m] */
enum ba_json_look ba_json_look(lua_State *L, char *why, size_t size);
/* Pushes the text that the table on the top is written as.  [-0, +1, m] */
void ba_json_push_text(lua_State *L);
/* Pushes the order; false: there is none, and something else is pushed. [-0, +0..1, m] */
bool ba_json_push_order(lua_State *L, int table);
/* What a value that is no table, string, number or boolean is written as: null,
 * an empty array, a 64-bit integer. 0: it has no form.  [-0, +0, e] */
size_t ba_json_foreign_value(lua_State *L, int index, char *out, size_t size);
/* Is it that field of lua-cjson?  [-0, +0, m] */
bool ba_json_is_cjson(lua_State *L, int index, const char *name);
int ba_json_plain(lua_State *L); /* core.plain */

/* ---- json_big.c ------------------------------------------------------------------ */

/* Has this Lua 64-bit integers besides its numbers (LuaJIT)?  [-0, +0, m] */
bool ba_json_has_cdata(lua_State *L);
/* Pushes the number that ends at `end` and does not begin before `start`, when it
 * is an integer that this Lua's numbers do not hold; else false.  [-0, +0..1, e] */
bool ba_json_push_big(lua_State *L, const char *start, const char *end, enum ba_json_big big);

/* ---- what is kept ----------------------------------------------------------------- */

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
  struct ba_buffer keys;                  /* encode: the members of open objects, in order */
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

void ba_json_open_codec(lua_State *L); /* [-0, +0, m] */
/* Pushes the metatable that marks arrays.   [-0, +1, -] */
void ba_json_push_array_mt(lua_State *L);

#endif
