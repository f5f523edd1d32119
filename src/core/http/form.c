#include "http/form.h"

#include <string.h>

static bool stays(unsigned char c)
{
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '*' ||
         c == '-' || c == '.' || c == '_';
}

bool ba_form_encode(struct ba_buffer *out, const char *value, size_t length, struct ba_error *err)
{
  static const char hex[] = "0123456789ABCDEF";
  for(size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)value[i];
    char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
    bool ok = stays(c)   ? ba_buffer_append(out, &c, 1, err)
              : c == ' ' ? ba_buffer_append(out, "+", 1, err)
                         : ba_buffer_append(out, escaped, 3, err);
    if(!ok)
      return false;
  }
  return true;
}

bool ba_form_add(struct ba_buffer *body, const char *name, const char *value, size_t length,
                 struct ba_error *err)
{
  return (body->length == 0 || ba_buffer_puts(body, "&", err)) &&
         ba_form_encode(body, name, strlen(name), err) && ba_buffer_puts(body, "=", err) &&
         ba_form_encode(body, value, length, err);
}
