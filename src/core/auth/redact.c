/* Finds a secret in a text, also where it is percent-encoded, escaped for JSON,
 * or both. The text is a server's and may be made to be slow: what is compared
 * is a hash of as many characters as the secret has, which moves along the text
 * and costs the same at each place. */
#include "auth/secret.h"

#include "system/system.h"

#include <stdint.h>
#include <string.h>

enum { SHORTEST_CUT = 8 };
enum spelling { AS_IS = 0, PERCENT = 1, JSON = 2, SPELLINGS = 4 };
enum { END = -1 };

/* Odd, so that it has an inverse modulo 2^64. */
static const uint64_t BASE = 0x9E3779B97F4A7C15u;

/* ---- reading what a spelling says ------------------------------------------ */

struct cursor {
  const char *at, *end;
  enum spelling how;
  const char *token;     /* where the character began that `rest` is of */
  unsigned char rest[2]; /* of a character of several bytes, backwards */
  unsigned left;
};

static int hex(char c)
{
  if(c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number that the hexadecimal digits are; -1: they are none; -2: the text
 * ends before all of them. */
static int hex_number(const char *at, const char *end, int digits)
{
  int value = 0;
  for(int i = 0; i < digits; i++) {
    if(at + i == end)
      return -2;
    int digit = hex(at[i]);
    if(digit < 0)
      return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* The first byte of a character; the others wait in `rest`. */
static int begin_utf8(struct cursor *cursor, int code)
{
  if(code < 0x80)
    return code;
  cursor->rest[0] = (unsigned char)(0x80 | (code & 0x3F));
  cursor->left = 1;
  if(code < 0x800)
    return 0xC0 | code >> 6;
  cursor->rest[1] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
  cursor->left = 2;
  return 0xE0 | code >> 12;
}

static int read_percent(struct cursor *cursor)
{
  int code = hex_number(cursor->at + 1, cursor->end, 2);
  if(code == -2)
    return END; /* cut within the spelling */
  cursor->at += code < 0 ? 1 : 3;
  return code < 0 ? '%' : code;
}

static int read_escape(struct cursor *cursor)
{
  static const char names[] = "\"\\/t", values[] = "\"\\/\t";
  const char *at = cursor->at;
  if(at + 1 == cursor->end)
    return END;
  const char *name = at[1] ? strchr(names, at[1]) : NULL;
  int code = at[1] == 'u' ? hex_number(at + 2, cursor->end, 4) : -1;
  if(code == -2)
    return END;
  cursor->at += name ? 2 : code < 0 ? 1 : 6;
  return name ? values[name - names] : code < 0 ? '\\' : begin_utf8(cursor, code);
}

/* The next byte, or END. A plus sign is a space in a form: where percent signs
 * mean something, both are taken for the same. */
static inline int next(struct cursor *cursor)
{
  if(cursor->left)
    return cursor->rest[--cursor->left];
  if(cursor->at == cursor->end)
    return END;
  cursor->token = cursor->at;
  unsigned char c = (unsigned char)*cursor->at;
  int read = c == '\\' && (cursor->how & JSON) ? read_escape(cursor) : END;
  if(c == '\\' && (cursor->how & JSON))
    return read;
  if(!(cursor->how & PERCENT) || (c != '%' && c != '+')) {
    cursor->at++;
    return c;
  }
  if(c == '%')
    read = read_percent(cursor);
  else
    cursor->at++;
  return c == '+' || read == '+' ? ' ' : read;
}

static const char *begin_of(const struct cursor *cursor)
{
  return cursor->left ? cursor->token : cursor->at;
}

/* ---- finding ----------------------------------------------------------------- */

struct wanted {
  const char *secret;
  size_t length;
  enum spelling how;
  uint64_t hash, power; /* of all of it; BASE to the power of length - 1 */
};

static uint64_t secret_byte(const struct wanted *wanted, size_t i)
{
  unsigned char c = (unsigned char)wanted->secret[i];
  return c == '+' && (wanted->how & PERCENT) ? ' ' : c;
}

static struct wanted want(const char *secret, size_t length, enum spelling how)
{
  struct wanted wanted = {.secret = secret, .length = length, .how = how, .power = 1};
  for(size_t i = 0; i < length; i++) {
    wanted.hash = wanted.hash * BASE + secret_byte(&wanted, i);
    wanted.power *= i ? BASE : 1;
  }
  return wanted;
}

/* The hash is the same: are the bytes? */
static bool same(const struct wanted *wanted, struct cursor from, size_t length)
{
  for(size_t i = 0; i < length; i++) {
    if((uint64_t)next(&from) != secret_byte(wanted, i))
      return false;
  }
  return true;
}

static void blacken(const struct cursor *from, const char *to)
{
  char *begin = (char *)begin_of(from); /* of the text that is ours to change */
  memset(begin, '*', (size_t)(to - begin));
}

static uint64_t inverse(uint64_t odd)
{
  uint64_t guess = odd; /* right in its three lowest bits; each step doubles them */
  for(int i = 0; i < 5; i++)
    guess *= 2 - odd * guess;
  return guess;
}

/* The text's last `count` bytes, with the given hash, from `first` on: the
 * longest end of them that the secret begins with. */
static void find_cut(struct wanted wanted, struct cursor first, size_t count, uint64_t have)
{
  const uint64_t step_back = inverse(BASE);
  size_t length = wanted.length;
  for(; count >= SHORTEST_CUT; count--) {
    for(; length > count; length--) {
      wanted.hash = (wanted.hash - secret_byte(&wanted, length - 1)) * step_back;
      wanted.power *= step_back;
    }
    if(have == wanted.hash && same(&wanted, first, count)) {
      blacken(&first, first.end);
      return;
    }
    have -= (uint64_t)next(&first) * wanted.power;
  }
}

static void find(const struct wanted *wanted, char *text, const char *end)
{
  struct cursor head = {.at = text, .end = end, .how = wanted->how}, tail = head;
  uint64_t have = 0;
  size_t count = 0;
  for(int c; (c = next(&head)) != END;) {
    if(count == wanted->length) {
      have -= (uint64_t)next(&tail) * wanted->power;
      count--;
    }
    have = have * BASE + (uint64_t)c;
    if(++count < wanted->length || have != wanted->hash || !same(wanted, tail, count))
      continue;
    blacken(&tail, head.at);
    tail = head;
    have = count = 0;
  }
  if(count == wanted->length) {
    have -= (uint64_t)next(&tail) * wanted->power;
    count--;
  }
  find_cut(*wanted, tail, count, have);
}

/* The common case at the speed of memory; what is left for find() is a secret
 * that the end of the text has cut. */
static void find_as_is(const struct wanted *wanted, char *text, char *end)
{
  char *at = text;
  while((at = ba_find_bytes(at, (size_t)(end - at), wanted->secret, wanted->length)) != NULL) {
    memset(at, '*', wanted->length);
    at += wanted->length;
  }
  size_t length = (size_t)(end - text);
  find(wanted, length > wanted->length ? end - wanted->length : text, end);
}

void ba_secret_redact(const char *secret, size_t secret_length, char *text, size_t length)
{
  if(secret_length < BA_SECRET_SHORTEST || !length)
    return;
  bool percent = memchr(text, '%', length) || memchr(text, '+', length);
  bool json = memchr(text, '\\', length) != NULL;
  for(int how = AS_IS; how < SPELLINGS; how++) {
    if(((how & PERCENT) && !percent) || ((how & JSON) && !json))
      continue;
    struct wanted wanted = want(secret, secret_length, (enum spelling)how);
    if(how == AS_IS)
      find_as_is(&wanted, text, text + length);
    else
      find(&wanted, text, text + length);
  }
}
