--- Mistral: batch jobs over uploaded files. Data only; the words are explained in
--- batchapi/definition/schema/.

local job_id = { "job_id", "string", help = "id of a job" }
local file_id = { "file_id", "string", help = "id of a file" }

return {
  name = "mistral",
  title = "Mistral batch jobs",
  documentation = "https://docs.mistral.ai/capabilities/batch/",
  base_url = "https://api.mistral.ai",
  environment = "MISTRAL_BASE_URL",
  auth = {
    { kind = "bearer", option = "api_key", environment = "MISTRAL_API_KEY" },
  },
  errors = {
    code = { "code", "type" },
    message = { "message" },
  },
  response = {
    request_id = { "mistral-correlation-id", "x-kong-request-id" },
    limit = { "x-ratelimit-limit-req-minute" },
    remaining = { "x-ratelimit-remaining-req-minute" },
    reset = { "ratelimitbysize-reset" },
  },
  operations = {
    {
      name = "create_job", method = "POST", path = "/v1/batch/jobs",
      summary = "Starts a job from uploaded files of requests.",
      repeats = "never_sent",
      body = { type = "object", required = true, fields = {
        { "input_files", "array", items = { type = "string", min_length = 1 }, min_items = 1,
          help = "ids of files with purpose \"batch\"" },
        { "requests", "array", items = "object", min_items = 1,
          help = "requests, in the files' place" },
        { "endpoint", "string", required = true, min_length = 1,
          known = { "/v1/chat/completions", "/v1/embeddings", "/v1/fim/completions",
            "/v1/moderations" },
          help = "the endpoint of every request" },
        { "model", "string", min_length = 1, help = "the model of every request" },
        { "timeout_hours", "integer", min = 1, default = 24,
          help = "hours within which the work must end" },
        { "metadata", "map", nullable = true, values = "string", help = "pairs of your own" },
      } },
      example = [[mistral:create_job{ input_files = { "5d3f…" }, endpoint = "/v1/chat/completions",
    model = "mistral-small-latest" }]],
    },
    {
      name = "retrieve_job", method = "GET", path = "/v1/batch/jobs/{job_id}",
        parameters = { job_id },
      summary = "A job as it stands now.",
      query = {
        { "inline", "boolean", help = "with the results of a job that has ended in `outputs`" },
      },
      example = [[mistral:retrieve_job("5d3f…")]],
    },
    {
      name = "list_jobs", method = "GET", path = "/v1/batch/jobs",
      summary = "One page of jobs.",
      query = {
        { "page", "integer", min = 0, default = 0, help = "number of the page, from 0" },
        { "page_size", "integer", min = 1, default = 100, help = "jobs in a page" },
        { "model", "string", help = "only jobs of this model" },
        { "status", "array", items = "string", list = "repeat",
          help = "only jobs in these states" },
        { "created_after", "string", help = "only later jobs, a date and time" },
        { "created_by_me", "boolean", help = "only the caller's own" },
        { "agent_id", "string", help = "only jobs of this agent" },
        { "order_by", "string", one_of = { "created", "-created" }, help = "oldest or newest first" },
      },
      page = { items = "data", query = "page", from = "number", first = 0, total = "total",
        size = "page_size" },
      example = [[mistral:list_jobs{ page_size = 50 }]],
    },
    {
      name = "cancel_job", method = "POST", path = "/v1/batch/jobs/{job_id}/cancel",
        parameters = { job_id },
      summary = "Asks for a job to end early; what is finished stays.",
      repeats = "idempotent",
      example = [[mistral:cancel_job("5d3f…")]],
    },
    {
      name = "delete_job", method = "DELETE", path = "/v1/batch/jobs/{job_id}",
        parameters = { job_id },
      summary = "Deletes a job; its files stay.",
      example = [[mistral:delete_job("5d3f…")]],
    },
    {
      name = "create_file", method = "POST", path = "/v1/files", content = "multipart",
      summary = "Uploads a file, streamed from disk.",
      repeats = "idempotent",
      body = { type = "object", required = true, fields = {
        { "purpose", "string", min_length = 1, known = { "batch", "fine-tune", "ocr" },
          help = "what the file is for" },
        { "file", "file", required = true, extension = ".jsonl",
          extension_when = { purpose = "^batch" },
          help = "a path, or { content = …, filename = … }" },
      } },
      example = [[mistral:create_file{ file = "requests.jsonl", purpose = "batch" }]],
    },
    {
      name = "list_files", method = "GET", path = "/v1/files",
      summary = "One page of files.",
      query = {
        { "page", "integer", min = 0, default = 0, help = "number of the page, from 0" },
        { "page_size", "integer", min = 1, default = 100, help = "files in a page" },
        { "purpose", "string", help = "only files for this purpose" },
      },
      page = { items = "data", query = "page", from = "number", first = 0, total = "total",
        size = "page_size" },
      example = [[mistral:list_files{ purpose = "batch" }]],
    },
    {
      name = "retrieve_file", method = "GET", path = "/v1/files/{file_id}",
        parameters = { file_id },
      summary = "What the service knows of a file.",
      example = [[mistral:retrieve_file("5d3f…")]],
    },
    {
      name = "delete_file", method = "DELETE", path = "/v1/files/{file_id}",
        parameters = { file_id },
      summary = "Deletes a file.",
      example = [[mistral:delete_file("5d3f…")]],
    },
    {
      name = "download_file", method = "GET", path = "/v1/files/{file_id}/content",
      parameters = { file_id },
      summary = "The bytes of a file: into a file with { to = path }, else as a string.",
      answer = "bytes", headers = { Accept = "*/*" },
      example = [[mistral:download_file("5d3f…", { to = "results.jsonl" })]],
    },
  },
  wait = {
    operation = "retrieve_job", status = "status",
    done = { "success", "timeout_exceeded", "cancelled" }, failed = { "failed" },
    needs = { -- a job of requests given inline has its answers in `outputs`
      { any = { "output_file", "outputs" }, count = "succeeded_requests" },
      { any = { "error_file", "outputs" }, count = "failed_requests" },
    },
    reasons = { list = "errors", message = "message" },
  },
  run = {
    family = "file",
    options = {
      endpoint = { type = "string", required = true,
        help = "path every request is for, such as /v1/chat/completions" },
      model = { type = "string", help = "the model of every request" },
      timeout_hours = { type = "number", window = "h", help = "hours the service may take (24)" },
    },
    request = {
      id = "custom_id", required = { "body" },
      fields = { custom_id = "string", body = "object" },
      verbatim = { "custom_id", "body" },
    },
    limits = { requests = 100000, bytes = 512000000 },
    concurrency = 8,
    upload = {
      operation = "create_file", id = "id", arguments = { { file = "$path", purpose = "batch" } },
    },
    create = {
      operation = "create_job", id = "id",
      arguments = { {
        input_files = { "$file_id" }, endpoint = "$endpoint", model = "$model",
        timeout_hours = "$timeout_hours", metadata = "$metadata",
      } },
    },
    lookup = {
      operation = "list_jobs", query = { page_size = 100, created_after = "$since" },
      token = "metadata.batchapi_part", id = "id",
      file = "input_files.1",
    },
    fence = {
      visible = { operation = "retrieve_file", arguments = { "$file_id" } },
      delete = { operation = "delete_file", arguments = { "$file_id" } },
    },
    watch = {
      expired = { "timeout_exceeded" }, cancelled = { "cancelled" },
      counts = { total = "total_requests", completed = "succeeded_requests",
        failed = "failed_requests" },
    },
    collect = {
      { operation = "download_file", arguments = { "$result_id" }, id = "output_file" },
      { operation = "download_file", arguments = { "$result_id" }, id = "error_file" },
    },
    result = {
      id = "custom_id", status = "response.status_code", body = "response.body", failed = "error",
      code = { "error.code", "error.type", "response.body.code", "response.body.type" },
      message = { "error.message", "error", "response.body.message" },
      retry = { statuses = { 408, 429, 500, 502, 503, 504 } },
    },
    cancel = { operation = "cancel_job", arguments = { "$batch_id" } },
    delete = { operation = "delete_file", arguments = { "$file_id" } },
  },
}
