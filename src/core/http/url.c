#include "http/url.h"

#include "batchapi/alloc.h"
#include "batchapi/buffer.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static CURLU *parse(const char *url)
{
  CURLU *parsed = curl_url();
  if(parsed && curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    curl_url_cleanup(parsed);
    return NULL;
  }
  return parsed;
}

static void lower(char *text)
{
  for(; *text; text++) {
    if(*text >= 'A' && *text <= 'Z')
      *text += 32;
  }
}

void ba_url_origin(const char *url, char *out, size_t size)
{
  char *scheme = NULL, *host = NULL, *port = NULL;
  CURLU *parsed = parse(url);
  snprintf(out, size, "?");
  if(parsed && curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
     curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
    snprintf(out, size, "%s://%s%s%s", scheme, host, port ? ":" : "", port ? port : "");
    lower(out);
  }
  curl_free(scheme);
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(parsed);
}

bool ba_url_same_origin(const char *a, const char *b)
{
  char first[512], second[512];
  ba_url_origin(a, first, sizeof(first));
  ba_url_origin(b, second, sizeof(second));
  return first[0] != '?' && strcmp(first, second) == 0;
}

static bool secret_name(const char *name, size_t length)
{
  static const char *const parts[] = {"key", "token",      "secret", "password",
                                      "sig", "credential", "code",   "assertion"};
  for(size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    size_t part = strlen(parts[i]);
    for(size_t at = 0; at + part <= length; at++) {
      if(strncasecmp(name + at, parts[i], part) == 0)
        return true;
    }
  }
  return false;
}

static bool copy_query(struct ba_buffer *out, const char *query)
{
  while(*query) {
    size_t length = strcspn(query, "&#");
    const char *equals = memchr(query, '=', length);
    size_t name = equals ? (size_t)(equals - query) : length;
    bool hide = equals && secret_name(query, name);
    if(!ba_buffer_append(out, query, hide ? name + 1 : length, NULL) ||
       (hide && !ba_buffer_puts(out, "***", NULL)))
      return false;
    query += length;
    if(*query == '#')
      break;
    if(*query && !ba_buffer_append(out, query++, 1, NULL))
      return false;
  }
  return true;
}

char *ba_url_redact(const char *url)
{
  struct ba_buffer out;
  ba_buffer_init(&out, strlen(url) * 4 + 16);
  const char *rest = strstr(url, "://");
  rest = rest ? rest + 3 : url;
  size_t authority = strcspn(rest, "/?#");
  const char *host = rest;
  for(size_t i = 0; i < authority; i++) {
    if(rest[i] == '@')
      host = rest + i + 1;
  }
  size_t plain = strcspn(host, "?#");
  bool ok = ba_buffer_append(&out, url, (size_t)(rest - url), NULL) &&
            ba_buffer_append(&out, host, plain, NULL);
  if(ok && host[plain] == '?')
    ok = ba_buffer_puts(&out, "?", NULL) && copy_query(&out, host + plain + 1);
  if(!ok) {
    ba_buffer_free(&out);
    return NULL;
  }
  return ba_buffer_take(&out, NULL);
}

char *ba_url_resolve(const char *base, const char *location)
{
  char *text = NULL, *copy = NULL;
  CURLU *parsed = parse(base);
  if(parsed && curl_url_set(parsed, CURLUPART_URL, location, CURLU_URLENCODE) == CURLUE_OK &&
     curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
     curl_url_set(parsed, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
     curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
     curl_url_set(parsed, CURLUPART_OPTIONS, NULL, 0) == CURLUE_OK &&
     curl_url_get(parsed, CURLUPART_URL, &text, 0) == CURLUE_OK)
    copy = ba_strdup(text);
  curl_free(text);
  curl_url_cleanup(parsed);
  return copy;
}
