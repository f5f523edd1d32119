#include "http/origin.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static bool host_character(char c, bool bracketed)
{
  if(is_digit(c) || c == '.')
    return true;
  char lower = c | 0x20;
  if(bracketed)
    return c == ':' || (lower >= 'a' && lower <= 'f');
  return (lower >= 'a' && lower <= 'z') || c == '-' || c == '_';
}

static bool bad_url(struct ba_error *err)
{
  return ba_error_set(err, BA_INVALID, "url",
                      "the URL is not of the form https://host[:port][/path]");
}

/* Dotted decimal in 127.0.0.0/8 and nothing cleverer. */
static bool is_ipv4_loopback(const char *host)
{
  unsigned parts[4];
  int used = 0;
  if(sscanf(host, "%3u.%3u.%3u.%3u%n", &parts[0], &parts[1], &parts[2], &parts[3], &used) != 4)
    return false;
  return host[used] == '\0' && parts[0] == 127 && parts[1] < 256 && parts[2] < 256 &&
         parts[3] < 256;
}

static bool is_loopback(const char *host)
{
  return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 || is_ipv4_loopback(host);
}

/* Copies the host in lower case; returns what follows it, NULL if it is bad. */
static const char *read_host(const char *at, char host[256])
{
  bool bracketed = *at == '[';
  size_t length = 0;
  if(bracketed)
    host[length++] = *at++;
  while(length < 254 && host_character(*at, bracketed)) {
    char c = *at++;
    host[length++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
  }
  if(bracketed) {
    if(*at != ']' || length < 3)
      return NULL;
    host[length++] = *at++;
  }
  host[length] = '\0';
  return length > 0 ? at : NULL;
}

/* Reads ":8080"; 0 if it is bad. */
static unsigned read_port(const char **at, unsigned port)
{
  if(**at != ':')
    return port;
  const char *p = *at + 1;
  unsigned value = 0;
  int digits = 0;
  for(; is_digit(*p) && digits < 6; p++, digits++)
    value = value * 10 + (unsigned)(*p - '0');
  *at = p;
  return digits > 0 && value <= 65535 ? value : 0;
}

bool ba_origin_parse(const char *url, struct ba_origin *out, struct ba_error *err)
{
  *out = (struct ba_origin){0};
  out->secure = strncasecmp(url, "https://", 8) == 0;
  if(!out->secure && strncasecmp(url, "http://", 7) != 0)
    return bad_url(err);
  char host[256];
  const char *at = read_host(url + (out->secure ? 8 : 7), host);
  if(!at)
    return bad_url(err);
  unsigned port = read_port(&at, out->secure ? 443 : 80);
  if(port == 0 || (*at != '\0' && *at != '/' && *at != '?' && *at != '#'))
    return bad_url(err);
  for(const char *p = at; *p; p++) {
    if((unsigned char)*p <= 0x20 || *p == 0x7F)
      return bad_url(err);
  }
  snprintf(out->text, sizeof(out->text), "%s://%s:%u", out->secure ? "https" : "http", host, port);
  out->loopback = is_loopback(host);
  return true;
}
