#include "batchapi/printable.h"

#include "batchapi/utf8.h"

#include <stdint.h>
#include <string.h>

static bool is_control(unsigned char c)
{
  return c < 0x20 || c == 0x7F;
}

/* Of two and three bytes: C1 controls, line and paragraph separators, marks
 * that turn the direction of writing, the byte order mark. */
static bool is_hidden(const unsigned char *at, unsigned size)
{
  if(size == 2)
    return at[0] == 0xC2 && at[1] < 0xA0;
  if(size != 3)
    return false;
  unsigned code = (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
  return (code >= 0x200E && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

/* Up to where nothing is to be changed. */
static const unsigned char *skip_clean(const unsigned char *at, const unsigned char *end)
{
  while(at < end && !is_control(*at)) {
    unsigned size = ba_utf8_sequence(at, end);
    if(size == 0 || is_hidden(at, size))
      break;
    at += size;
  }
  return at;
}

bool ba_is_printable(const char *text, size_t length)
{
  const unsigned char *at = (const unsigned char *)text;
  return skip_clean(at, at + length) == at + length;
}

void ba_make_printable(char *text, size_t length)
{
  unsigned char *at = (unsigned char *)text;
  const unsigned char *end = at + length;
  while((at += skip_clean(at, end) - at) < end) {
    unsigned size = is_control(*at) ? 1 : ba_utf8_sequence(at, end);
    memset(at, is_control(*at) ? ' ' : '?', size ? size : 1);
    at += size ? size : 1;
  }
}
