--- Microsoft Graph: $batch, a synchronous envelope whose answers are matched by id. Data only; the
--- words are explained in batchapi/definition/schema/.

return {
  name = "msgraph",
  title = "Microsoft Graph JSON batching",
  documentation = "https://learn.microsoft.com/graph/json-batching",
  base_url = "https://graph.microsoft.com/v1.0",
  environment = "MSGRAPH_BASE_URL",
  auth = {
    { kind = "bearer", option = "access_token", environment = "MSGRAPH_ACCESS_TOKEN" },
  },
  errors = {
    code = { "error.code" },
    message = { "error.message" },
  },
  response = {
    request_id = { "request-id", "client-request-id" },
    limit = { "ratelimit-limit" }, remaining = { "ratelimit-remaining" },
      reset = { "ratelimit-reset" },
  },
  operations = {
    {
      name = "create_batch", method = "POST", path = "/$batch",
      summary = "Runs up to twenty requests; the answers come in any order, matched by id.",
      repeats = "never_sent",
      repeats_if = { every = "requests", field = "method", one_of = { "GET" }, repeats = "safe" },
      body = { type = "object", required = true, fields = {
        { "requests", "array", required = true, min_items = 1, max_items = 20, help = "the calls",
          items = {
            type = "object", closed = true,
            fields = {
              { "id", "string", required = true, min_length = 1, help = "unique in the batch" },
              { "method", "string", required = true, case = "upper",
                one_of = { "GET", "POST", "PUT", "PATCH", "DELETE" } },
              { "url", "string", required = true, min_length = 1,
                never = { { "^/?%$batch", "a batch cannot stand within a batch" } },
                help = "path below the base URL, such as /me/messages" },
              { "headers", "map", values = "string",
                help = "with a body, Content-Type must be among them" },
              { "body", "any", help = "JSON, or base64 text by its Content-Type" },
              { "dependsOn", "array", items = "string", help = "ids of requests to come first" },
            },
          } },
      } },
      example = [[msgraph:create_batch{
    requests = { { id = "1", method = "GET", url = "/me" } } }]],
    },
  },
  run = {
    family = "envelope",
    request = {
      id = "id", required = { "method", "url" },
      safe = { path = "method", one_of = { "get" } },
      depends = { field = "dependsOn", failed = { 424 } },
    },
    limits = { requests = 20 },
    concurrency = 4,
    create = { operation = "create_batch", arguments = { { requests = "$requests" } } },
    items = "responses",
    result = {
      id = "id", status = "status", body = "body",
      code = { "body.error.code" }, message = { "body.error.message" },
      retry = { statuses = { 429, 500, 502, 503, 504 } }, retry_after = "headers.Retry-After",
    },
  },
}
