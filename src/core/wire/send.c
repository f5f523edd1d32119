/* What goes out: method, body, and the headers that follow from them. */
#include "wire/send.h"

#include "wire/transfer_state.h"

#include <string.h>

static const long FILE_CHUNK = 512L << 10; /* a quarter less CPU than libcurl's 64 KiB */

static size_t on_produce(char *out, size_t size, size_t count, void *user)
{
  struct ba_transfer *transfer = user;
  int64_t got = ba_stream_take(transfer->stream, out, size * count, &transfer->handle->failure);
  return got == BA_STREAM_PAUSE ? CURL_READFUNC_PAUSE : got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static size_t on_read(char *out, size_t size, size_t count, void *source)
{
  int64_t got = ba_source_take(source, out, size * count);
  return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static int on_seek(void *source, curl_off_t offset, int origin)
{
  return origin == SEEK_SET && ba_source_seek(source, offset) ? CURL_SEEKFUNC_OK
                                                              : CURL_SEEKFUNC_FAIL;
}

static CURLcode send_memory(struct ba_transfer *transfer, CURL *easy)
{
  struct ba_source *source = &transfer->request->source;
  return curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)source->length) |
         curl_easy_setopt(easy, CURLOPT_POSTFIELDS, source->bytes ? source->bytes : "");
}

static CURLcode send_file(struct ba_transfer *transfer, CURL *easy)
{
  struct ba_source *source = &transfer->request->source;
  ba_source_rewind(source, &transfer->handle->failure);
  return curl_easy_setopt(easy, CURLOPT_POST, 1L) |
         curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)source->length) |
         curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read) |
         curl_easy_setopt(easy, CURLOPT_READDATA, source) |
         curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek) |
         curl_easy_setopt(easy, CURLOPT_SEEKDATA, source) |
         curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, FILE_CHUNK);
}

static CURLcode send_stream(struct ba_transfer *transfer, CURL *easy)
{
  int64_t length = transfer->request->stream_length;
  if(length < 0)
    ba_handle_header(transfer->handle, "Transfer-Encoding: chunked"); /* HTTP/2 leaves it out */
  return curl_easy_setopt(easy, CURLOPT_POST, 1L) |
         curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length) |
         curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_produce) |
         curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
}

static CURLcode send_parts(struct ba_transfer *transfer, CURL *easy)
{
  curl_mime *mime = curl_mime_init(easy);
  transfer->mime = mime;
  CURLcode code = mime ? CURLE_OK : CURLE_OUT_OF_MEMORY;
  for(struct ba_part *part = transfer->request->parts; part && code == CURLE_OK;
      part = part->next) {
    curl_mimepart *out = curl_mime_addpart(mime);
    if(!out)
      return CURLE_OUT_OF_MEMORY;
    const char *type = part->type ? part->type : part->filename ? "application/octet-stream" : NULL;
    ba_source_rewind(&part->source, &transfer->handle->failure);
    code = curl_mime_name(out, part->name) |
           curl_mime_data_cb(out, part->source.length, on_read, on_seek, NULL, &part->source) |
           curl_mime_filename(out, part->filename) | curl_mime_type(out, type);
  }
  return code | curl_easy_setopt(easy, CURLOPT_MIMEPOST, mime) |
         curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, FILE_CHUNK);
}

static bool announces(const char *method)
{
  return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static CURLcode send_nothing(struct ba_transfer *transfer, CURL *easy)
{
  const char *method = transfer->request->method;
  if(strcmp(method, "HEAD") == 0)
    return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  return announces(method) ? send_memory(transfer, easy)
                           : curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
}

static CURLcode send_body(struct ba_transfer *transfer, CURL *easy)
{
  switch(transfer->request->body) {
  case BA_BODY_MEMORY:
    return send_memory(transfer, easy);
  case BA_BODY_FILE:
    return send_file(transfer, easy);
  case BA_BODY_STREAM:
    return send_stream(transfer, easy);
  case BA_BODY_PARTS:
    return send_parts(transfer, easy);
  case BA_BODY_NONE:
    break;
  }
  return send_nothing(transfer, easy);
}

/* Every byte of a header costs libcurl a hundred instructions, twice that
 * where it makes the line itself: ours are given whole, and none in vain. */
static void add_headers(struct ba_transfer *transfer)
{
  const struct ba_request *request = transfer->request;
  enum { EXPECT_ABOVE = 1 << 20 }; /* libcurl asks first for larger bodies */
  bool large = request->body > BA_BODY_MEMORY || request->source.length > EXPECT_ABOVE;
  if(request->body != BA_BODY_NONE && large)
    ba_handle_header(transfer->handle, "Expect:"); /* waiting for 100 costs up to a second */
  /* libcurl would call any body a form. */
  bool typed = request->has_type || request->body == BA_BODY_PARTS ||
               (request->body == BA_BODY_NONE && !announces(request->method));
  if(!typed)
    ba_handle_header(transfer->handle, "Content-Type:");
  if(request->sink == BA_SINK_MEMORY && !request->accept_encoding)
    ba_handle_header(transfer->handle, "Accept-Encoding: " BA_ACCEPT_ENCODING);
  if(!request->has_agent)
    ba_handle_header(transfer->handle, transfer->network->user_agent);
}

CURLcode ba_send_setup(struct ba_transfer *transfer, struct ba_handle *handle, bool ready)
{
  CURL *easy = handle->easy;
  const struct ba_request *request = transfer->request;
  add_headers(transfer);
  if(ready)
    return request->body == BA_BODY_MEMORY ? send_memory(transfer, easy) : CURLE_OK;
  CURLcode code = send_body(transfer, easy);
  bool own_word = strcmp(request->method, "HEAD") == 0 ||
                  (request->body == BA_BODY_NONE && strcmp(request->method, "GET") == 0) ||
                  (request->body != BA_BODY_NONE && strcmp(request->method, "POST") == 0);
  return own_word ? code : code | curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}
