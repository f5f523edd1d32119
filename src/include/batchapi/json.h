/* JSON without Lua: a strict scanner that gives one token at a time, and the
 * writers of strings and numbers.
 *
 * The scanner accepts exactly RFC 8259: UTF-8 only, no byte order mark, no
 * trailing bytes, no lone surrogates (a text that cannot be given on as UTF-8
 * is refused), depth bounded. It keeps no tree and does not recurse; who walks
 * the tokens decides what to keep. It never reads past the bytes it was given
 * and never changes them, so it runs straight on a receive buffer.
 *
 *   struct ba_json_scanner scanner;
 *   ba_json_scanner_init(&scanner, bytes, length, depth, &scratch);
 *   while((token = ba_json_next(&scanner)) > BA_JSON_END) …
 *   if(token == BA_JSON_FAILED) … scanner.error, ba_json_offset(&scanner)
 *
 * What was paid for is read once more, leniently, when the strict reading has
 * refused it: see ba_json_scanner_mend().
 */
#ifndef BA_JSON_H
#define BA_JSON_H

#include "buffer.h"
#include "error.h"
#include "utf8.h"

#include <stddef.h>
#include <stdint.h>

/* ---- limits, in one place ---------------------------------------------- */

#define BA_JSON_DEFAULT_DEPTH 512u          /* arrays and objects in one another */
#define BA_JSON_MAX_DEPTH 1000u             /* what an option may raise it to */
#define BA_JSON_MAX_BYTES ((size_t)1 << 30) /* one document, or one string of it */
#define BA_JSON_NUMBER_MAX 32               /* bytes that ba_json_format_… may write */

/* ---- scanner ----------------------------------------------------------- */

enum ba_json_token {
  BA_JSON_FAILED = 0,
  BA_JSON_END, /* the document is whole and nothing follows it */
  BA_JSON_NULL,
  BA_JSON_TRUE,
  BA_JSON_FALSE,
  BA_JSON_INTEGER, /* .integer */
  BA_JSON_FLOAT,   /* .number: also "1.0", "-0", and integers beyond 64 bits */
  BA_JSON_STRING,  /* .string, .length */
  BA_JSON_KEY,     /* the same; its value is the next token */
  BA_JSON_ARRAY,
  BA_JSON_ARRAY_END,
  BA_JSON_OBJECT,
  BA_JSON_OBJECT_END,
  BA_JSON_VALUE /* not from ba_json_next(): see json_scan.h */
};

/* What a lenient reading accepts besides, and makes of it. */
enum ba_json_mend {
  BA_JSON_MEND_BOM,       /* a byte order mark at the beginning: skipped */
  BA_JSON_MEND_SURROGATE, /* half of a surrogate pair: U+FFFD in its place */
  BA_JSON_MEND_CONTROL,   /* a control character in a string: kept */
  BA_JSON_MEND_UTF8,      /* a byte in a string that is not UTF-8: kept */
  BA_JSON_MEND_NUMBER,    /* NaN, Infinity, -Infinity, a number too large: a float */
  BA_JSON_MEND_KINDS
};

struct ba_json_mends {
  size_t count[BA_JSON_MEND_KINDS],
      first[BA_JSON_MEND_KINDS]; /* first: the byte's number, from 1 */
};

struct ba_json_scanner {
  /* the last token's value; a string lives until the next call */
  const char *string;
  size_t length;
  int64_t integer;
  double number;
  struct ba_error error; /* after BA_JSON_FAILED: BA_DECODE, or BA_NOMEM */

  /* private */
  const char *start, *at, *end;
  struct ba_buffer *scratch;   /* borrowed: holds a string that had escapes */
  struct ba_json_mends *mends; /* borrowed: NULL in a strict reading */
  unsigned depth, max_depth;
  unsigned char expect;
  unsigned char inside[BA_JSON_MAX_DEPTH + 1]; /* what to expect behind a value at each depth */
};

/* `scratch` is the caller's, with a cap of its own (a string with escapes
 * that is longer fails as BA_TOO_LARGE); it is freed by the caller, and may
 * serve the next document. max_depth 0 means the default. */
void ba_json_scanner_init(struct ba_json_scanner *scanner, const char *bytes, size_t length,
                          unsigned max_depth, struct ba_buffer *scratch);
/* Behind ba_json_scanner_init(): makes the reading a lenient one. *mends says
 * afterwards what it mended; where that is nothing, all is as in a strict one. */
void ba_json_scanner_mend(struct ba_json_scanner *scanner, struct ba_json_mends *mends);
/* What was mended and where, for people; "" if nothing was. Gives its length. */
enum { BA_JSON_MENDS_MAX = 512 };
size_t ba_json_describe_mends(const struct ba_json_mends *mends, char out[BA_JSON_MENDS_MAX]);
enum ba_json_token ba_json_next(struct ba_json_scanner *scanner);
/* Where the scanner stands: the byte's number, the first being 1. */
size_t ba_json_offset(const struct ba_json_scanner *scanner);

/* ---- text -------------------------------------------------------------- */

/* Reads a string whose opening quote has been taken: *at stands behind it and
 * afterwards behind the closing quote, or at the offending byte. A string
 * without escapes is given in place, one with them in `scratch`. */
bool ba_json_read_string(const char **at, const char *end, struct ba_buffer *scratch,
                         const char **string, size_t *length, struct ba_error *err);
/* The same where it is known that the string begins at `first` and is plain
 * (printable ASCII, no escape) up to *at. */
bool ba_json_read_rest(const char *first, const char **at, const char *end,
                       struct ba_buffer *scratch, const char **string, size_t *length,
                       struct ba_error *err);

/* Appends the string in quotes. Not valid UTF-8: BA_INVALID, with the byte's
 * number in the message; the buffer may then hold a part of it. */
bool ba_json_append_string(struct ba_buffer *out, const char *text, size_t length,
                           struct ba_error *err);

/* ---- numbers ----------------------------------------------------------- */

enum ba_json_token ba_json_read_number(const char **at, const char *end, int64_t *integer,
                                       double *number, struct ba_error *err);

/* Write without a NUL and give the length, at most BA_JSON_NUMBER_MAX. A
 * float is written with as few digits as read back to the same double,
 * whatever the locale: whole ones below 2^53 without a point ("3", "-0.0" for
 * minus zero, which "0" would lose). It must be finite. */
size_t ba_json_format_integer(char *out, int64_t value);
size_t ba_json_format_double(char *out, double value);

#endif
