#include "wire/request.h"

#include "batchapi/alloc.h"
#include "batchapi/disk.h"
#include "batchapi/libcurl.h"
#include "http/headers.h"
#include "http/unpack.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

void ba_request_options_init(struct ba_request_options *options)
{
  *options = (struct ba_request_options){
      .timeout = BA_DEFAULT_TIMEOUT,
      .connect_timeout = BA_DEFAULT_CONNECT_TIMEOUT,
      .stall_timeout = BA_DEFAULT_STALL_TIMEOUT,
      .silent_timeout = BA_DEFAULT_SILENT_TIMEOUT,
      .max_retries = BA_DEFAULT_MAX_RETRIES,
      .max_body_bytes = BA_DEFAULT_MAX_BODY_BYTES,
      .max_header_bytes = BA_DEFAULT_MAX_HEADER_BYTES,
  };
}

/* RFC 9110 5.6.2 */
static bool is_token(const char *text, size_t length)
{
  for(size_t i = 0; i < length; i++) {
    char c = text[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if(!plain && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
      return false;
  }
  return length > 0;
}

bool ba_request_check_url(const char *url, struct ba_error *err)
{
  if(strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
    return ba_error_set(err, BA_INVALID, NULL, "a URL begins with http:// or https://");
  for(const char *at = url; *at; at++) {
    if((unsigned char)*at <= 0x20 || *at == 0x7F)
      return ba_error_set(err, BA_INVALID, NULL,
                          "a URL holds no space and no control character; encode it");
  }
  const char *host = strstr(url, "://") + 3;
  if(memchr(host, '@', strcspn(host, "/?#")))
    return ba_error_set(err, BA_INVALID, NULL, "a URL holds no user and no password here");
  return true;
}

struct ba_request *ba_request_new(const char *method, const char *url, struct ba_error *err)
{
  if(!is_token(method, strlen(method))) {
    ba_error_set(err, BA_INVALID, NULL, "\"%s\" is not an HTTP method", method);
    return NULL;
  }
  if(url && !ba_request_check_url(url, err))
    return NULL;
  size_t method_size = strlen(method) + 1, url_size = url ? strlen(url) + 1 : 0;
  struct ba_request *request = ba_calloc(1, sizeof(*request) + method_size + url_size);
  if(!request) {
    ba_error_nomem(err);
    return NULL;
  }
  request->last_header = &request->headers;
  request->last_part = &request->parts;
  request->source.fd = -1;
  ba_request_options_init(&request->options);
  request->references = 1;
  char *texts = (char *)(request + 1);
  request->method = memcpy(texts, method, method_size);
  if(url)
    request->url = memcpy(texts + method_size, url, url_size);
  return request;
}

static void source_free(struct ba_source *source)
{
  ba_source_close(source);
  ba_free(source->path);
  ba_free(source->bytes);
}

static void part_free(struct ba_part *part)
{
  source_free(&part->source);
  ba_free(part->name);
  ba_free(part->filename);
  ba_free(part->type);
  ba_free(part);
}

void ba_request_delete(struct ba_request *request)
{
  if(request && request->base) { /* all but its one block is the base's */
    struct ba_request *base = request->base;
    ba_free(request);
    request = base;
  }
  if(!request || atomic_fetch_sub(&request->references, 1) > 1)
    return;
  while(request->headers) {
    struct curl_slist *node = request->headers;
    request->headers = node->next;
    ba_free(node);
  }
  while(request->parts) {
    struct ba_part *part = request->parts;
    request->parts = part->next;
    part_free(part);
  }
  if(request->secret_body)
    ba_wipe(request->source.bytes, (size_t)request->source.length);
  source_free(&request->source);
  ba_free(request->final_codes);
  ba_free(request->code_paths);
  ba_free(request->unaccepted);
  ba_free(request->path);
  ba_disk_release(request->disk);
  ba_free(request);
}

/* libcurl only reads a header list, so its nodes may be ours: one block holds
 * node and text. "Name;" is libcurl's way to say an empty value. */
/* What the core does not unpack itself, libcurl must be able to. */
static bool can_unpack(const char *encodings, struct ba_error *err)
{
  return (!ba_accepts(encodings, "br") ||
          ba_curl_require(BA_CURL_BROTLI, "Accept-Encoding: br", err)) &&
         (!ba_accepts(encodings, "zstd") ||
          ba_curl_require(BA_CURL_ZSTD, "Accept-Encoding: zstd", err));
}

bool ba_request_header(struct ba_request *request, const char *name, const char *value,
                       size_t length, struct ba_error *err)
{
  size_t name_length = strlen(name);
  if(!is_token(name, name_length))
    return ba_error_set(err, BA_INVALID, NULL, "\"%s\" is not a header name", name);
  const char *framing = ba_head_framing(name);
  if(framing)
    return ba_error_set(err, BA_INVALID, NULL,
                        "the header %s is made from what is sent, and cannot be given", framing);
  for(size_t i = 0; i < length; i++) {
    if(value[i] == '\r' || value[i] == '\n' || value[i] == '\0')
      return ba_error_set(err, BA_INVALID, NULL, "the value of header %s holds a line break or NUL",
                          name);
  }
  struct curl_slist *node = ba_malloc(sizeof(*node) + name_length + length + 3);
  if(!node)
    return ba_error_nomem(err);
  char *at = (char *)(node + 1);
  node->data = at;
  node->next = NULL;
  memcpy(at, name, name_length);
  at += name_length;
  if(length == 0) {
    *at++ = ';';
  } else {
    *at++ = ':';
    *at++ = ' ';
    memcpy(at, value, length);
    at += length;
  }
  *at = '\0';
  bool encoding = strcasecmp(name, "Accept-Encoding") == 0 && length;
  if(encoding && !can_unpack(node->data + name_length + 2, err)) {
    ba_free(node);
    return false;
  }
  if(strcasecmp(name, "Content-Type") == 0)
    request->has_type = true;
  else if(strcasecmp(name, "User-Agent") == 0)
    request->has_agent = true;
  else if(encoding)
    request->accept_encoding = node->data + name_length + 2;
  *request->last_header = node;
  request->last_header = &node->next;
  return true;
}

bool ba_request_open(struct ba_request *request, struct ba_error *err)
{
  if(request->body == BA_BODY_FILE && !ba_source_open(&request->source, err))
    return false;
  for(struct ba_part *part = request->parts; part; part = part->next) {
    if(!ba_source_open(&part->source, err))
      return false;
  }
  return true;
}

bool ba_request_is_read(const struct ba_request *request)
{
  for(const struct ba_part *part = request->parts; part; part = part->next) {
    if(part->source.offset < part->source.length)
      return false;
  }
  return true;
}

void ba_request_replace_body(struct ba_request *request, char *bytes, size_t length)
{
  ba_wipe_free(request->source.bytes, (size_t)request->source.length);
  request->source.bytes = bytes;
  request->source.length = (int64_t)length;
}

static bool one_body(struct ba_request *request, enum ba_body_kind kind, struct ba_error *err)
{
  if(request->body != BA_BODY_NONE && (kind != BA_BODY_PARTS || request->body != kind))
    return ba_error_set(err, BA_INVALID, NULL, "a request has one body");
  request->body = kind;
  return true;
}

static bool copy_bytes(struct ba_source *source, const void *bytes, size_t length, bool secret,
                       struct ba_error *err)
{
  source->bytes = secret ? ba_secret_malloc(length + 1) : ba_malloc(length + 1);
  if(!source->bytes)
    return ba_error_nomem(err);
  if(length)
    memcpy(source->bytes, bytes, length);
  source->bytes[length] = '\0';
  source->length = (int64_t)length;
  return true;
}

static bool copy_text(char **out, const char *text, struct ba_error *err)
{
  if(!text)
    return true;
  *out = ba_strdup(text);
  return *out || ba_error_nomem(err);
}

bool ba_request_body(struct ba_request *request, const void *bytes, size_t length,
                     struct ba_error *err)
{
  return one_body(request, BA_BODY_MEMORY, err) &&
         copy_bytes(&request->source, bytes, length, request->secret_body, err);
}

void ba_request_on_disk(struct ba_request *request, struct ba_disk *disk)
{
  request->disk = ba_disk_retain(disk);
}

bool ba_request_body_file(struct ba_request *request, const char *path, struct ba_error *err)
{
  request->source.disk = request->disk;
  return one_body(request, BA_BODY_FILE, err) && copy_text(&request->source.path, path, err);
}

bool ba_request_body_stream(struct ba_request *request, int64_t length, bool restartable,
                            struct ba_error *err)
{
  request->stream_length = length;
  request->restartable = restartable;
  return one_body(request, BA_BODY_STREAM, err);
}

static bool add_part(struct ba_request *request, const char *name, const char *filename,
                     const char *type, struct ba_part **out, struct ba_error *err)
{
  if(!one_body(request, BA_BODY_PARTS, err))
    return false;
  struct ba_part *part = ba_calloc(1, sizeof(*part));
  if(!part)
    return ba_error_nomem(err);
  part->source.fd = -1;
  part->source.disk = request->disk;
  *request->last_part = part;
  request->last_part = &part->next;
  *out = part;
  return copy_text(&part->name, name, err) && copy_text(&part->filename, filename, err) &&
         copy_text(&part->type, type, err);
}

bool ba_request_part(struct ba_request *request, const char *name, const void *bytes, size_t length,
                     const char *filename, const char *type, struct ba_error *err)
{
  struct ba_part *part;
  return add_part(request, name, filename, type, &part, err) &&
         copy_bytes(&part->source, bytes, length, false, err);
}

bool ba_request_part_file(struct ba_request *request, const char *name, const char *path,
                          const char *filename, const char *type, struct ba_error *err)
{
  struct ba_part *part;
  const char *slash = strrchr(path, '/');
  const char *base = slash ? slash + 1 : path;
  return add_part(request, name, filename ? filename : base, type, &part, err) &&
         copy_text(&part->source.path, path, err);
}

bool ba_request_to_file(struct ba_request *request, const char *path, struct ba_error *err)
{
  if(request->sink != BA_SINK_MEMORY)
    return ba_error_set(err, BA_INVALID, NULL, "an answer goes to one place");
  request->sink = BA_SINK_FILE;
  return copy_text(&request->path, path, err);
}

bool ba_request_to_stream(struct ba_request *request, struct ba_error *err)
{
  if(request->sink != BA_SINK_MEMORY)
    return ba_error_set(err, BA_INVALID, NULL, "an answer goes to one place");
  request->sink = BA_SINK_STREAM;
  return true;
}

/* Pointers and texts in one block. */
static bool copy_list(char ***out, const char *const *list, struct ba_error *err)
{
  ba_free(*out);
  *out = NULL;
  if(!list)
    return true;
  size_t count = 0, size = 0;
  for(; list[count]; count++)
    size += strlen(list[count]) + 1;
  char **made = ba_malloc((count + 1) * sizeof(*made) + size);
  if(!made)
    return ba_error_nomem(err);
  char *text = (char *)(made + count + 1);
  for(size_t i = 0; i < count; i++) {
    size_t length = strlen(list[i]) + 1;
    made[i] = memcpy(text, list[i], length);
    text += length;
  }
  made[count] = NULL;
  *out = made;
  return true;
}

static bool copy_statuses(struct ba_request *request, const int *statuses, struct ba_error *err)
{
  ba_free(request->unaccepted);
  request->unaccepted = NULL;
  if(!statuses)
    return true;
  size_t count = 0;
  while(statuses[count])
    count++;
  request->unaccepted = ba_calloc(count + 1, sizeof(int));
  if(!request->unaccepted)
    return ba_error_nomem(err);
  memcpy(request->unaccepted, statuses, count * sizeof(int));
  return true;
}

bool ba_request_set_options(struct ba_request *request, const struct ba_request_options *options,
                            struct ba_error *err)
{
  struct ba_request_options *own = &request->options;
  *own = *options;
  own->unaccepted = NULL;
  own->final_codes = own->code_paths = NULL;
  if(own->connect_timeout <= 0)
    own->connect_timeout = BA_DEFAULT_CONNECT_TIMEOUT;
  if(own->stall_timeout <= 0)
    own->stall_timeout = BA_DEFAULT_STALL_TIMEOUT;
  if(own->silent_timeout <= 0)
    own->silent_timeout = BA_DEFAULT_SILENT_TIMEOUT;
  if(own->max_retries < 0)
    own->max_retries = BA_DEFAULT_MAX_RETRIES;
  if(own->timeout == 0)
    own->timeout = BA_DEFAULT_TIMEOUT;
  if(!own->max_body_bytes)
    own->max_body_bytes = BA_DEFAULT_MAX_BODY_BYTES;
  if(!own->max_header_bytes)
    own->max_header_bytes = BA_DEFAULT_MAX_HEADER_BYTES;
  return copy_statuses(request, options->unaccepted, err) &&
         copy_list(&request->final_codes, options->final_codes, err) &&
         copy_list(&request->code_paths, options->code_paths, err);
}

/* One block, with its URL and its body. */
struct ba_request *ba_request_like(struct ba_request *base, const char *url, const void *bytes,
                                   size_t length, struct ba_error *err)
{
  if(!ba_request_check_url(url, err))
    return NULL;
  size_t url_size = strlen(url) + 1;
  struct ba_request *request = ba_malloc(sizeof(*request) + url_size + length);
  if(!request) {
    ba_error_nomem(err);
    return NULL;
  }
  memset(request, 0, sizeof(*request));
  atomic_fetch_add_explicit(&base->references, 1, memory_order_relaxed);
  request->base = base;
  request->method = base->method;
  request->headers = base->headers;
  request->accept_encoding = base->accept_encoding;
  request->has_type = base->has_type;
  request->has_agent = base->has_agent;
  request->options = base->options;
  request->unaccepted = base->unaccepted;
  request->final_codes = base->final_codes;
  request->code_paths = base->code_paths;
  request->url = memcpy(request + 1, url, url_size);
  request->source.fd = -1;
  if(bytes) {
    request->body = BA_BODY_MEMORY;
    request->source.bytes = memcpy((char *)(request + 1) + url_size, bytes, length);
    request->source.length = (int64_t)length;
  }
  return request;
}
