#include "http/framing.h"

#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
  return c == ' ' || c == '\t';
}

static const char *skip_space(const char *at)
{
  while(is_space(*at))
    at++;
  return at;
}

/* What follows the name and its colon; NULL if the line has another name.
 * *exact: nothing stands between the two. */
static const char *value_of(const char *line, const char *name, bool *exact)
{
  size_t length = strlen(name);
  if(strncasecmp(line, name, length) != 0)
    return NULL;
  const char *at = skip_space(line + length);
  *exact = at == line + length;
  return *at == ':' ? skip_space(at + 1) : NULL;
}

static const char content_length[] = "content-length";
static const char transfer_encoding[] = "transfer-encoding";

bool ba_framing_names(const char *line)
{
  bool exact;
  return value_of(line, content_length, &exact) || value_of(line, transfer_encoding, &exact);
}

static bool refuse(const char *why, struct ba_error *err)
{
  return ba_error_set(err, BA_DECODE, "framing", "where the answer's body ends is not clear: %s",
                      why);
}

/* "7", or the same several times, "7, 7", as a proxy may join them. */
static bool read_length(struct ba_head *head, const char *at, struct ba_error *err)
{
  for(;;) {
    int64_t length = 0;
    at = skip_space(at);
    if(*at < '0' || *at > '9')
      return refuse("its Content-Length is not a number", err);
    for(; *at >= '0' && *at <= '9'; at++) {
      int digit = *at - '0';
      if(length > (INT64_MAX - digit) / 10)
        return refuse("its Content-Length is larger than any body", err);
      length = length * 10 + digit;
    }
    at = skip_space(at);
    if(*at != '\0' && *at != ',')
      return refuse("its Content-Length is not a number", err);
    if(head->length >= 0 && head->length != length)
      return refuse("it has two Content-Lengths that differ", err);
    head->length = length;
    if(*at++ == '\0')
      return true;
  }
}

static bool read_encoding(struct ba_head *head, const char *value, struct ba_error *err)
{
  if(head->chunked)
    return refuse("it has two Transfer-Encodings", err);
  if(strcasecmp(value, "chunked") != 0)
    return refuse("it has a Transfer-Encoding that nobody asked for", err);
  if(strcmp(head->version, "1.1") != 0)
    return refuse("it has a Transfer-Encoding, which only HTTP/1.1 has", err);
  head->chunked = true;
  return true;
}

static bool read_line(struct ba_head *head, const char *line, struct ba_error *err)
{
  bool exact = true;
  const char *value = value_of(line, content_length, &exact);
  if(value && exact)
    return read_length(head, value, err);
  if(!value)
    value = value_of(line, transfer_encoding, &exact);
  if(value && exact)
    return read_encoding(head, value, err);
  return !value || refuse("there is a space before the colon of its length", err);
}

bool ba_framing_read(struct ba_head *head, struct ba_error *err)
{
  const char *line = head->text.bytes;
  head->length = -1;
  head->chunked = false;
  if(head->muddled)
    return refuse("its length is folded, or holds a NUL", err);
  for(size_t i = 0; i < head->count; i++) {
    char first = line[0] | 0x20;
    if((first == 'c' || first == 't') && !read_line(head, line, err))
      return false;
    line += strlen(line) + 1;
  }
  return !(head->chunked && head->length >= 0) ||
         refuse("it has a Content-Length and comes in chunks", err);
}
