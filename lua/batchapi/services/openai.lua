--- OpenAI: Files, Uploads, Batches. Data only; the words are explained in batchapi/definition/schema/.

local expires_after = {
  { "anchor", "string", required = true, one_of = { "created_at" },
    help = "what the life is counted from" },
  { "seconds", "integer", required = true, min = 3600, max = 2592000,
    help = "one hour to 30 days" },
}

local purposes = { "assistants", "batch", "fine-tune", "vision", "user_data", "evals" }

local file_id = { "file_id", "string", help = "id of a file", example = "file-abc123" }
local batch_id = { "batch_id", "string", help = "id of a batch", example = "batch_abc123" }
local upload_id = { "upload_id", "string", help = "id of an upload", example = "upload_abc123" }

local model = { "model", "string", required = true, min_length = 1, help = "id of the model", example = "gpt-4o-mini" }
local stream = { "stream", "boolean", help = "false: an answer comes as one document" }
local no_stream = { { when = { stream = "^true$" }, why = "stream = true is answered with events, not with one JSON "
  .. "document: leave it out; client:lines reads answers that are lines of JSON" } }

local newest_first = { items = "data", query = "after", from = "last_item", field = "id",
  last = "last_id", more = "has_more", size = "limit" }

return {
  name = "openai",
  title = "OpenAI Batch API (files, uploads, batches)",
  documentation = "https://platform.openai.com/docs/api-reference/batch",
  base_url = "https://api.openai.com/v1",
  environment = "OPENAI_BASE_URL",
  auth = {
    { kind = "bearer", option = "api_key", environment = "OPENAI_API_KEY" },
  },
  options = {
    { "organization", "string", environment = "OPENAI_ORG_ID", header = "OpenAI-Organization",
      help = "organization the calls are booked on" },
    { "project", "string", environment = "OPENAI_PROJECT_ID", header = "OpenAI-Project",
      help = "project the calls are booked on" },
  },
  errors = {
    code = { "error.code", "error.type" },
    message = { "error.message" },
    final = { "insufficient_quota", "billing_hard_limit_reached", "billing_not_active",
      "access_terminated" },
  },
  response = {
    request_id = { "x-request-id" },
    limit = { "x-ratelimit-limit-requests" },
    remaining = { "x-ratelimit-remaining-requests" },
    reset = { "x-ratelimit-reset-requests" },
  },
  operations = {
    {
      name = "create_batch", method = "POST", path = "/batches",
      summary = "Starts a batch from an uploaded file of requests.",
      repeats = "never_sent",
      body = {
        type = "object", required = true,
        fields = {
          { "input_file_id", "string", required = true, min_length = 1,
            help = "file with purpose \"batch\": JSONL, at most 50,000 lines and 200 MB" },
          { "endpoint", "string", required = true, min_length = 1,
            help = "the endpoint of every request in the file",
            known = { "/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions",
              "/v1/moderations",
              "/v1/images/generations", "/v1/images/edits", "/v1/videos" } },
          { "completion_window", "string", required = true, min_length = 1, known = { "24h" },
            help = "time within which the work must end" },
          { "metadata", "map", nullable = true, max_pairs = 16, key_max_length = 64,
            values = { type = "string", max_length = 512 },
            help = "pairs of your own, kept with the batch" },
          { "output_expires_after", "object", fields = expires_after,
            help = "life of the output and error files, from their creation" },
        },
      },
      example = [[openai:create_batch{
    input_file_id = "file-abc123", endpoint = "/v1/chat/completions", completion_window = "24h" }]],
    },
    {
      name = "retrieve_batch", method = "GET", path = "/batches/{batch_id}",
        parameters = { batch_id },
      summary = "A batch as it stands now.",
      example = [[openai:retrieve_batch("batch_abc123")]],
    },
    {
      name = "list_batches", method = "GET", path = "/batches",
      summary = "One page of batches, newest first.",
      query = {
        { "after", "string", help = "id of the last batch already seen" },
        { "limit", "integer", min = 1, max = 100, default = 20, help = "batches in a page" },
      },
      page = newest_first,
      example = [[openai:list_batches{ limit = 50 }]],
    },
    {
      name = "cancel_batch", method = "POST", path = "/batches/{batch_id}/cancel",
        parameters = { batch_id },
      summary = "Asks for a batch to end early; what is finished stays.",
      repeats = "idempotent",
      example = [[openai:cancel_batch("batch_abc123")]],
    },
    {
      name = "create_file", method = "POST", path = "/files", content = "multipart",
      summary = "Uploads a file, streamed from disk.",
      repeats = "idempotent",
      body = {
        type = "object", required = true, closed = true,
        fields = {
          { "purpose", "string", required = true, min_length = 1, known = purposes,
            help = "what the file is for" },
          { "file", "file", required = true, extension = ".jsonl",
            extension_when = { purpose = "^batch" },
              help = "a path, or { content = …, filename = … }" },
          { "expires_after", "object", fields = expires_after,
            help = "life of the file (30 days for purpose \"batch\")" },
        },
      },
      example = [[openai:create_file{ file = "requests.jsonl", purpose = "batch" }]],
    },
    {
      name = "list_files", method = "GET", path = "/files",
      summary = "One page of files.",
      query = {
        { "purpose", "string", known = purposes, help = "only files for this purpose" },
        { "limit", "integer", min = 1, max = 10000, default = 10000, help = "files in a page" },
        { "order", "string", one_of = { "asc", "desc" }, default = "desc",
          help = "by time of creation" },
        { "after", "string", help = "id of the last file already seen" },
      },
      page = newest_first,
      example = [[openai:list_files{ purpose = "batch", limit = 100 }]],
    },
    {
      name = "retrieve_file", method = "GET", path = "/files/{file_id}", parameters = { file_id },
      summary = "What the service knows of a file.",
      example = [[openai:retrieve_file("file-abc123")]],
    },
    {
      name = "delete_file", method = "DELETE", path = "/files/{file_id}", parameters = { file_id },
      summary = "Deletes a file.",
      example = [[openai:delete_file("file-abc123")]],
    },
    {
      name = "download_file", method = "GET", path = "/files/{file_id}/content",
        parameters = { file_id },
      summary = "The bytes of a file: into a file with { to = path }, else as a string.",
      answer = "bytes", headers = { Accept = "*/*" },
      example = [[openai:download_file("file-abc123", { to = "results.jsonl" })]],
    },
    {
      name = "create_upload", method = "POST", path = "/uploads",
      summary = "Begins an upload in parts.",
      repeats = "idempotent",
      body = {
        type = "object", required = true, closed = true,
        fields = {
          { "filename", "string", required = true, min_length = 1,
            help = "name the file will have" },
          { "purpose", "string", required = true, min_length = 1, known = { "assistants", "batch",
            "fine-tune", "vision" }, help = "what the file is for" },
          { "bytes", "integer", required = true, min = 1, max = 8589934592,
            help = "size of the whole file, at most 8 GiB" },
          { "mime_type", "string", required = true, min_length = 1,
            help = "media type, such as text/jsonl" },
          { "expires_after", "object", fields = expires_after, help = "life of the file" },
        },
      },
      example = [[openai:create_upload{
    filename = "in.jsonl", purpose = "batch", bytes = 2147, mime_type = "text/jsonl" }]],
    },
    {
      name = "add_upload_part", method = "POST", path = "/uploads/{upload_id}/parts",
        parameters = { upload_id },
      content = "multipart", repeats = "idempotent",
      summary = "Adds one part (at most 64 MB) to an upload.",
      body = {
        type = "object", required = true, closed = true,
        fields = {
          { "data", "file", required = true, help = "a path, or { content = … }" },
        },
      },
      example = [[openai:add_upload_part("upload_abc123", { data = "in.part1" })]],
    },
    {
      name = "complete_upload", method = "POST", path = "/uploads/{upload_id}/complete",
        parameters = { upload_id },
      summary = "Ends an upload and makes the file of its parts.",
      repeats = "never_sent",
      body = {
        type = "object", required = true, closed = true,
        fields = {
          { "part_ids", "array", required = true, min_items = 1, items = { type = "string",
            min_length = 1 }, help = "ids of the parts, in order" },
          { "md5", "string", help = "MD5 of the whole file, to have it verified" },
        },
      },
      example = [[openai:complete_upload("upload_abc123", { part_ids = { "part_1", "part_2" } })]],
    },
    {
      name = "cancel_upload", method = "POST", path = "/uploads/{upload_id}/cancel",
        parameters = { upload_id },
      summary = "Gives an upload up; no part can follow.",
      repeats = "idempotent",
      example = [[openai:cancel_upload("upload_abc123")]],
    },
    {
      name = "create_chat_completion", method = "POST", path = "/chat/completions",
      summary = "One chat completion, at once: what a batch does by the thousand.",
      body = { type = "object", required = true, refuse = no_stream, fields = {
        model, stream,
        { "messages", "array", required = true, min_items = 1, items = "object",
          help = "{ role =, content = } each" },
      } },
      example = [[openai:create_chat_completion{
    model = "gpt-4o-mini", messages = { { role = "user", content = "Hello" } } }]],
    },
    {
      name = "create_response", method = "POST", path = "/responses",
      summary = "One answer of a model, at once.",
      body = { type = "object", required = true, refuse = no_stream, fields = {
        { "model", "string", min_length = 1, help = "id of the model" }, stream,
        { "input", "any", help = "a text, or an array of messages" },
      } },
      example = [[openai:create_response{ model = "gpt-4o-mini", input = "Hello" }]],
    },
    {
      name = "create_embedding", method = "POST", path = "/embeddings",
      summary = "The vectors of texts.", repeats = "safe",
      body = { type = "object", required = true, fields = {
        model,
        { "input", "any", required = true, help = "a text, or an array of texts or tokens" },
      } },
      example = [[openai:create_embedding{ model = "text-embedding-3-small", input = "Hello" }]],
    },
    {
      name = "list_models", method = "GET", path = "/models",
      summary = "The models there are.",
      example = [[openai:list_models()]],
    },
    {
      name = "retrieve_model", method = "GET", path = "/models/{model}",
      parameters = { { "model", "string", help = "id of the model", example = "gpt-4o-mini" } },
      summary = "What the service says of a model.",
      example = [[openai:retrieve_model("gpt-4o-mini")]],
    },
  },
  wait = {
    operation = "retrieve_batch", status = "status",
    done = { "completed", "expired", "cancelled" }, failed = { "failed" },
    needs = { -- "completed" comes before the files are named
      { any = { "output_file_id" }, count = "request_counts.completed" },
      { any = { "error_file_id" }, count = "request_counts.failed" },
    },
    reasons = { list = "errors.data", code = "code", message = "message", line = "line" },
  },
  run = {
    family = "file",
    options = {
      endpoint = { type = "string", infer = "url", needed = true,
        help = "path every request is for, such as /v1/chat/completions" },
      completion_window = { type = "string", default = "24h", window = "s", help = "time the service may take" },
    },
    request = {
      id = "custom_id", required = { "body" },
      fields = { custom_id = "string", method = "string", url = "string", body = "object" },
      defaults = { method = "POST", url = "$endpoint" },
      verbatim = { "custom_id", "method", "url", "body" },
      equal = { url = "$endpoint", method = "POST" }, uniform = { "body.model" },
    },
    limits = {
      requests = 50000, bytes = 200000000,
      inputs = { path = "body.input", url = "/embeddings", max = 50000 },
    },
    concurrency = 20,
    upload = {
      operation = "create_file", id = "id",
      arguments = { {
        file = "$path", purpose = "batch",
        expires_after = { anchor = "created_at", seconds = "$expires_after" },
      } },
    },
    create = {
      operation = "create_batch", id = "id",
      arguments = { {
        input_file_id = "$file_id", endpoint = "$endpoint", completion_window = "$completion_window",
        metadata = "$metadata",
        output_expires_after = { anchor = "created_at", seconds = "$output_expires_after" },
      } },
      not_yet = { "cannot find file" },
      queue = { "token_limit_exceeded" },
    },
    lookup = {
      operation = "list_batches", query = { limit = 100 }, token = "metadata.batchapi_part",
      id = "id", created = "created_at", file = "input_file_id",
    },
    fence = {
      visible = { operation = "retrieve_file", arguments = { "$file_id" } },
      delete = { operation = "delete_file", arguments = { "$file_id" } },
    },
    watch = {
      expired = { "expired" }, cancelled = { "cancelled" }, usage = "usage",
      counts = { total = "request_counts.total", completed = "request_counts.completed",
        failed = "request_counts.failed" },
    },
    collect = {
      { operation = "download_file", arguments = { "$result_id" }, id = "output_file_id" },
      { operation = "download_file", arguments = { "$result_id" }, id = "error_file_id" },
    },
    result = {
      id = "custom_id", status = "response.status_code", body = "response.body", failed = "error",
      code = { "error.code", "response.body.error.code", "response.body.error.type" },
      message = { "error.message", "response.body.error.message", "response.body.message" },
      retry = { statuses = { 408, 429, 500, 502, 503, 504 },
        codes = { "batch_expired", "rate_limit_exceeded", "timeout" } },
    },
    cancel = { operation = "cancel_batch", arguments = { "$batch_id" } },
    delete = { operation = "delete_file", arguments = { "$file_id" } },
  },
}
