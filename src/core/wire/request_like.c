/* Requests that are like another but for URL and body: one block each. */
#include "wire/request.h"

#include "batchapi/alloc.h"

#include <string.h>

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

void ba_request_delete_like(struct ba_request *request)
{
  struct ba_request *base = request->base;
  ba_free(request);
  ba_request_delete(base);
}
