#include "http/unpack.h"

#include "batchapi/alloc.h"
#include "batchapi/utf8.h"
#include "batchapi/version.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum { PIECE = 16 << 10, BLOCK_HEADER = 16 };
/* What zlib is to expect: a window of 32 KiB, in the form of ... */
enum { GZIP_FORM = 15 + 16, ZLIB_FORM = 15, BARE_FORM = -15 };

struct ba_unpack {
  enum ba_packing packing;
  bool secret;
  bool began;    /* something was fed */
  bool ended;    /* at an end mark */
  bool bare;     /* deflate without zlib's header */
  Bytef first;   /* the first byte that was fed */
  z_stream zlib; /* its next_in and avail_in serve UTF-16, too */
  int byte;      /* UTF-16: the first of two, or -1 */
  unsigned high; /* UTF-16: the first half of a pair, or 0 */
  bool marked;   /* UTF-16: its byte order mark is behind us */
  char out[PIECE];
};

enum ba_packing ba_packing_named(const char *header)
{
  if(!header || strcasecmp(header, "identity") == 0 || !*header)
    return BA_PACKING_NONE;
  if(strcasecmp(header, "gzip") == 0 || strcasecmp(header, "x-gzip") == 0)
    return BA_PACKING_GZIP;
  return strcasecmp(header, "deflate") == 0 ? BA_PACKING_DEFLATE : BA_PACKING_UNKNOWN;
}

bool ba_accepts(const char *encodings, const char *name)
{
  size_t length = strlen(name);
  for(const char *at = encodings; *at; at += *at == ',') {
    at += strspn(at, " \t");
    if(strncasecmp(at, name, length) == 0 && strchr(" \t;,", at[length])) /* or the end */
      return true;
    at += strcspn(at, ",");
  }
  return false;
}

/* No JSON begins with any of these bytes. */
enum ba_packing ba_packing_of_text(unsigned char first)
{
  switch(first) {
  case 0x1F:
    return BA_PACKING_GZIP;
  case 0xFF:
    return BA_PACKING_UTF16_LE;
  case 0xFE:
    return BA_PACKING_UTF16_BE;
  default:
    return BA_PACKING_NONE;
  }
}

/* zlib's memory is ours; each block knows its size, to be wiped by. */
static voidpf take_memory(voidpf user, uInt count, uInt size)
{
  (void)user;
  size_t length = (size_t)count * size + BLOCK_HEADER;
  char *block = ba_calloc(1, length);
  if(!block)
    return Z_NULL;
  memcpy(block, &length, sizeof(length));
  return block + BLOCK_HEADER;
}

static void give_memory(voidpf user, voidpf address)
{
  const struct ba_unpack *unpack = user;
  char *block = (char *)address - BLOCK_HEADER;
  size_t length;
  memcpy(&length, block, sizeof(length));
  if(unpack->secret)
    ba_wipe_free(block, length);
  else
    ba_free(block);
}

static bool is_compressed(const struct ba_unpack *unpack)
{
  return unpack->packing == BA_PACKING_GZIP || unpack->packing == BA_PACKING_DEFLATE;
}

struct ba_unpack *ba_unpack_new(enum ba_packing packing, bool secret, struct ba_error *err)
{
  struct ba_unpack *unpack = ba_calloc(1, sizeof(*unpack));
  if(!unpack) {
    ba_error_nomem(err);
    return NULL;
  }
  unpack->packing = packing;
  unpack->secret = secret;
  unpack->byte = -1;
  unpack->zlib.zalloc = take_memory;
  unpack->zlib.zfree = give_memory;
  unpack->zlib.opaque = unpack;
  int form = packing == BA_PACKING_GZIP ? GZIP_FORM : ZLIB_FORM;
  if(is_compressed(unpack) && inflateInit2(&unpack->zlib, form) != Z_OK) {
    ba_free(unpack);
    ba_error_nomem(err);
    return NULL;
  }
  return unpack;
}

void ba_unpack_free(struct ba_unpack *unpack)
{
  if(!unpack)
    return;
  if(is_compressed(unpack))
    inflateEnd(&unpack->zlib);
  if(unpack->secret)
    ba_wipe_free(unpack, sizeof(*unpack));
  else
    ba_free(unpack);
}

void ba_unpack_feed(struct ba_unpack *unpack, const char *bytes, size_t length)
{
  unpack->zlib.next_in = (z_const Bytef *)bytes;
  unpack->zlib.avail_in = (uInt)length;
  if(!unpack->began && length)
    unpack->first = (Bytef)*bytes;
  unpack->began |= length > 0;
}

size_t ba_unpack_left(const struct ba_unpack *unpack)
{
  return unpack->zlib.avail_in;
}

bool ba_unpack_is_whole(const struct ba_unpack *unpack)
{
  if(!unpack->began)
    return true;
  return is_compressed(unpack) ? unpack->ended : unpack->byte < 0 && !unpack->high;
}

/* ---- gzip, deflate -------------------------------------------------------- */

static bool damaged(const struct ba_unpack *unpack, struct ba_error *err)
{
  return ba_error_set(err, BA_DECODE, "content_encoding", "the compressed answer is damaged: %s",
                      unpack->zlib.msg ? unpack->zlib.msg : "it goes on behind its end");
}

/* "deflate" is meant by some without zlib's header: what was taken for one is
 * read again, also its first byte if that was fed before. */
static bool is_bare(struct ba_unpack *unpack, z_const Bytef *from, uInt length, uLong before)
{
  z_stream *zlib = &unpack->zlib;
  if(unpack->packing != BA_PACKING_DEFLATE || unpack->bare || zlib->total_out ||
     zlib->total_in > 2 || before > 1)
    return false;
  unpack->bare = true;
  if(inflateReset2(zlib, BARE_FORM) != Z_OK)
    return false;
  zlib->next_in = &unpack->first;
  zlib->avail_in = (uInt)before;
  if(before && inflate(zlib, Z_NO_FLUSH) != Z_OK)
    return false;
  zlib->next_in = from;
  zlib->avail_in = length;
  return true;
}

/* gzip may come in several members. */
static bool begin_member(struct ba_unpack *unpack)
{
  unpack->ended = false;
  return unpack->packing == BA_PACKING_GZIP && inflateReset(&unpack->zlib) == Z_OK;
}

static bool inflate_piece(struct ba_unpack *unpack, size_t *length, struct ba_error *err)
{
  z_stream *zlib = &unpack->zlib;
  int code = Z_OK;
  zlib->next_out = (Bytef *)unpack->out;
  zlib->avail_out = PIECE;
  while(zlib->avail_out && code == Z_OK && !(unpack->ended && !zlib->avail_in)) {
    z_const Bytef *from = zlib->next_in;
    uInt left = zlib->avail_in;
    uLong before = zlib->total_in;
    if(unpack->ended && !begin_member(unpack))
      return damaged(unpack, err);
    code = inflate(zlib, Z_NO_FLUSH);
    if(code == Z_STREAM_END) {
      unpack->ended = true;
      code = Z_OK;
    } else if(code == Z_DATA_ERROR && is_bare(unpack, from, left, before)) {
      code = Z_OK;
    }
  }
  *length = PIECE - zlib->avail_out;
  if(code == Z_MEM_ERROR)
    return ba_error_nomem(err);
  return code == Z_OK || (code == Z_BUF_ERROR && !zlib->avail_in) || damaged(unpack, err);
}

/* ---- UTF-16 ---------------------------------------------------------------- */

/* One unit's characters to `out`. A half without its other half stays what it
 * is: who reads the text sees that it is none. */
static size_t put_unit(struct ba_unpack *unpack, unsigned unit, char *out)
{
  unsigned high = unpack->high;
  unpack->high = 0;
  if(!unpack->marked) { /* the mark that told what this is */
    unpack->marked = true;
    return 0;
  }
  if(high && unit >= 0xDC00 && unit <= 0xDFFF)
    return ba_put_utf8(out, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
  size_t length = high ? ba_put_utf8(out, high) : 0;
  if(unit >= 0xD800 && unit <= 0xDBFF) {
    unpack->high = unit;
    return length;
  }
  return length + ba_put_utf8(out + length, unit);
}

static void transcode_piece(struct ba_unpack *unpack, size_t *length)
{
  enum { MOST = 6 }; /* a lost half, and a unit */
  z_stream *input = &unpack->zlib;
  size_t done = 0;
  for(; input->avail_in && PIECE - done >= MOST; input->avail_in--) {
    unsigned byte = *input->next_in++;
    if(unpack->byte < 0) {
      unpack->byte = (int)byte;
      continue;
    }
    unsigned first = (unsigned)unpack->byte;
    unpack->byte = -1;
    done += put_unit(unpack,
                     unpack->packing == BA_PACKING_UTF16_LE ? byte << 8 | first : first << 8 | byte,
                     unpack->out + done);
  }
  *length = done;
}

bool ba_unpack_next(struct ba_unpack *unpack, const char **piece, size_t *length,
                    struct ba_error *err)
{
  *piece = unpack->out;
  *length = 0;
  if(!is_compressed(unpack)) {
    transcode_piece(unpack, length);
    return true;
  }
  return inflate_piece(unpack, length, err);
}

struct ba_two_versions ba_zlib_versions(void)
{
  return (struct ba_two_versions){ZLIB_VERSION, zlibVersion()};
}
