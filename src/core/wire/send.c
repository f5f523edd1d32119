/* What goes out: method, body, and the headers that follow from them. */
#include "wire/internal.h"

#include <string.h>

static const long FILE_CHUNK = 512L << 10; /* a quarter less CPU than libcurl's 64 KiB */

static size_t on_produce(char *out, size_t size, size_t count, void *user)
{
  struct ba_call *call = user;
  struct ba_transfer *transfer = &call->transfer;
  int64_t length = call->request->stream_length;
  size_t got = ba_stream_take(call, out, size * count);
  if(got == CURL_READFUNC_PAUSE || got == CURL_READFUNC_ABORT)
    return got;
  transfer->body_taken += got;
  if(got || length < 0 || (int64_t)transfer->body_taken == length)
    return got;
  ba_error_set(&transfer->handle->failure, BA_IO, NULL,
               "the body's producer gave %llu bytes, not the %lld it had announced",
               (unsigned long long)transfer->body_taken, (long long)length);
  return CURL_READFUNC_ABORT;
}

static CURLcode rewind_source(struct ba_call *call, struct ba_source *source)
{
  source->offset = 0;
  source->failure = &call->transfer.handle->failure;
  return CURLE_OK;
}

static CURLcode send_memory(struct ba_call *call, CURL *easy)
{
  struct ba_source *source = &call->request->source;
  return curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)source->length) |
         curl_easy_setopt(easy, CURLOPT_POSTFIELDS, source->bytes ? source->bytes : "");
}

static CURLcode send_file(struct ba_call *call, CURL *easy)
{
  struct ba_source *source = &call->request->source;
  return rewind_source(call, source) | curl_easy_setopt(easy, CURLOPT_POST, 1L) |
         curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)source->length) |
         curl_easy_setopt(easy, CURLOPT_READFUNCTION, ba_source_read) |
         curl_easy_setopt(easy, CURLOPT_READDATA, source) |
         curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, ba_source_seek) |
         curl_easy_setopt(easy, CURLOPT_SEEKDATA, source) |
         curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, FILE_CHUNK);
}

static CURLcode send_stream(struct ba_call *call, CURL *easy)
{
  int64_t length = call->request->stream_length;
  if(length < 0)
    ba_transfer_header(call, "Transfer-Encoding: chunked"); /* HTTP/2 leaves it out */
  return curl_easy_setopt(easy, CURLOPT_POST, 1L) |
         curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length) |
         curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_produce) |
         curl_easy_setopt(easy, CURLOPT_READDATA, call);
}

static CURLcode send_parts(struct ba_call *call, CURL *easy)
{
  curl_mime *mime = curl_mime_init(easy);
  call->transfer.mime = mime;
  CURLcode code = mime ? CURLE_OK : CURLE_OUT_OF_MEMORY;
  for(struct ba_part *part = call->request->parts; part && code == CURLE_OK; part = part->next) {
    curl_mimepart *out = curl_mime_addpart(mime);
    if(!out)
      return CURLE_OUT_OF_MEMORY;
    const char *type = part->type ? part->type : part->filename ? "application/octet-stream" : NULL;
    code = rewind_source(call, &part->source) | curl_mime_name(out, part->name) |
           curl_mime_data_cb(out, part->source.length, ba_source_read, ba_source_seek, NULL,
                             &part->source) |
           curl_mime_filename(out, part->filename) | curl_mime_type(out, type);
  }
  return code | curl_easy_setopt(easy, CURLOPT_MIMEPOST, mime) |
         curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, FILE_CHUNK);
}

static bool announces(const char *method)
{
  return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static CURLcode send_nothing(struct ba_call *call, CURL *easy)
{
  const char *method = call->request->method;
  if(strcmp(method, "HEAD") == 0)
    return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  return announces(method) ? send_memory(call, easy) : curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
}

static CURLcode send_body(struct ba_call *call, CURL *easy)
{
  switch(call->request->body) {
  case BA_BODY_MEMORY:
    return send_memory(call, easy);
  case BA_BODY_FILE:
    return send_file(call, easy);
  case BA_BODY_STREAM:
    return send_stream(call, easy);
  case BA_BODY_PARTS:
    return send_parts(call, easy);
  case BA_BODY_NONE:
    break;
  }
  return send_nothing(call, easy);
}

/* Every byte of a header costs libcurl a hundred instructions, twice that
 * where it makes the line itself: ours are given whole, and none in vain. */
static void add_headers(struct ba_call *call)
{
  const struct ba_request *request = call->request;
  enum { EXPECT_ABOVE = 1 << 20 }; /* libcurl asks first for larger bodies */
  bool large = request->body > BA_BODY_MEMORY || request->source.length > EXPECT_ABOVE;
  if(request->body != BA_BODY_NONE && large)
    ba_transfer_header(call, "Expect:"); /* waiting for 100 costs up to a second */
  /* libcurl would call any body a form. */
  bool typed = request->has_type || request->body == BA_BODY_PARTS ||
               (request->body == BA_BODY_NONE && !announces(request->method));
  if(!typed)
    ba_transfer_header(call, "Content-Type:");
  if(request->sink == BA_SINK_MEMORY && !request->accept_encoding)
    ba_transfer_header(call, "Accept-Encoding: " BA_ACCEPT_ENCODING);
  if(!request->has_agent)
    ba_transfer_header(call, call->client->user_agent);
}

CURLcode ba_send_setup(struct ba_call *call, CURL *easy, bool ready)
{
  const struct ba_request *request = call->request;
  add_headers(call);
  if(ready)
    return request->body == BA_BODY_MEMORY ? send_memory(call, easy) : CURLE_OK;
  CURLcode code = send_body(call, easy);
  bool own_word = strcmp(request->method, "HEAD") == 0 ||
                  (request->body == BA_BODY_NONE && strcmp(request->method, "GET") == 0) ||
                  (request->body != BA_BODY_NONE && strcmp(request->method, "POST") == 0);
  return own_word ? code : code | curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}
