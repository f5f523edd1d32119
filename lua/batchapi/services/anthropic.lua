--- Anthropic: Message Batches (requests inline, results by URL). Data only; the words are explained
--- in batchapi/definition/schema/.

local batch_id = { "message_batch_id", "string", help = "id of a batch",
  example = "msgbatch_01HkcTjaV5" }

return {
  name = "anthropic",
  title = "Anthropic Message Batches",
  documentation = "https://docs.anthropic.com/en/api/creating-message-batches",
  base_url = "https://api.anthropic.com",
  environment = "ANTHROPIC_BASE_URL",
  auth = {
    { kind = "header", header = "x-api-key", option = "api_key",
      environment = "ANTHROPIC_API_KEY" },
    { kind = "bearer", option = "auth_token", environment = "ANTHROPIC_AUTH_TOKEN" },
  },
  options = {
    { "version", "string", header = "anthropic-version", default = "2023-06-01",
      help = "version of the API" },
    { "beta", "array", items = "string", header = "anthropic-beta", help = "beta features" },
  },
  errors = {
    code = { "error.details.error_code", "error.type" },
    message = { "error.message" },
    final = { "billing_error", "enforced_spend_limit_reached", "contract_spend_limit_reached" },
  },
  response = {
    request_id = { "request-id" },
    limit = { "anthropic-ratelimit-requests-limit" },
    remaining = { "anthropic-ratelimit-requests-remaining" },
    reset = { "anthropic-ratelimit-requests-reset" },
  },
  operations = {
    {
      name = "create_batch", method = "POST", path = "/v1/messages/batches",
      summary = "Starts a batch of Messages requests.",
      repeats = "never_sent",
      body = { type = "object", required = true, fields = {
        { "requests", "array", required = true, min_items = 1, max_items = 100000,
          help = "at most 100,000 requests and 256 MB",
          items = { type = "object", fields = {
            { "custom_id", "string", required = true, min_length = 1, max_length = 64,
              pattern = "^[%w_-]+$", pattern_help = "letters, digits, '_' and '-'",
              help = "unique in the batch" },
            { "params", "object", required = true, help = "a Messages request" },
          } } },
      } },
      example = [[anthropic:create_batch{ requests = { { custom_id = "a", params = {
    model = "claude-x", max_tokens = 100,
    messages = { { role = "user", content = "Hello" } } } } } }]],
    },
    {
      name = "retrieve_batch", method = "GET", path = "/v1/messages/batches/{message_batch_id}",
      parameters = { batch_id },
      summary = "A batch as it stands now.",
      example = [[anthropic:retrieve_batch("msgbatch_01HkcTjaV5")]],
    },
    {
      name = "list_batches", method = "GET", path = "/v1/messages/batches",
      summary = "One page of batches, newest first.",
      query = {
        { "after_id", "string", help = "id of the last batch already seen" },
        { "before_id", "string", help = "id of the first batch already seen, to go back" },
        { "limit", "integer", min = 1, max = 1000, default = 20, help = "batches in a page" },
      },
      page = { items = "data", query = "after_id", from = "answer", field = "last_id",
        more = "has_more", size = "limit" },
      example = [[anthropic:list_batches{ limit = 50 }]],
    },
    {
      name = "cancel_batch", method = "POST",
        path = "/v1/messages/batches/{message_batch_id}/cancel",
      parameters = { batch_id },
      summary = "Asks for a batch to end early; what is finished stays.",
      repeats = "idempotent",
      example = [[anthropic:cancel_batch("msgbatch_01HkcTjaV5")]],
    },
    {
      name = "delete_batch", method = "DELETE", path = "/v1/messages/batches/{message_batch_id}",
      parameters = { batch_id },
      summary = "Deletes a batch that has ended, and its results.",
      example = [[anthropic:delete_batch("msgbatch_01HkcTjaV5")]],
    },
    {
      name = "retrieve_batch_results", method = "GET",
      path = "/v1/messages/batches/{message_batch_id}/results", parameters = { batch_id },
      summary = "The results of a batch that has ended: JSON lines, in any order.",
      answer = "jsonl", headers = { Accept = "*/*" }, redirects = true,
      example = [[for result in anthropic:lines("retrieve_batch_results", "msgbatch_01") do … end]],
    },
  },
  wait = {
    operation = "retrieve_batch", status = "processing_status", done = { "ended" },
  },
  run = {
    family = "inline",
    request = {
      id = "custom_id", id_pattern = "^[%w_-]+$", id_max = 64, required = { "params" },
      fields = { custom_id = "string", params = "object" },
      verbatim = { "custom_id", "params" },
    },
    limits = { requests = 100000, bytes = 256000000 },
    concurrency = 8,
    create = {
      operation = "create_batch", arguments = { { requests = "$requests" } }, id = "id",
    },
    watch = {
      counts = { completed = "request_counts.succeeded", failed = "request_counts.errored" },
    },
    collect = { { operation = "retrieve_batch_results", arguments = { "$batch_id" } } },
    result = {
      id = "custom_id", body = "result.message",
      ok = { path = "result.type", one_of = { "succeeded" } },
      code = { "result.error.error.type", "result.error.type", "result.type" },
      message = { "result.error.error.message", "result.error.message" },
      retry = { codes = { "expired", "overloaded_error", "rate_limit_error", "api_error",
        "timeout_error" } },
    },
    cancel = { operation = "cancel_batch", arguments = { "$batch_id" } },
  },
}
