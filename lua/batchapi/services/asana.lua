--- Asana: many API calls in one batch request. Data only; the words are explained in
--- batchapi/definition/schema/.

local reads = { "get", "head" }

return {
  name = "asana",
  title = "Asana batch API",
  documentation = "https://developers.asana.com/reference/createbatchrequest",
  base_url = "https://app.asana.com/api/1.0",
  environment = "ASANA_BASE_URL",
  auth = {
    { kind = "bearer", option = "access_token", environment = "ASANA_ACCESS_TOKEN" },
    { kind = "oauth_refresh", option = "oauth", token_url = "/-/oauth_token",
      authorize_url = "/-/oauth_authorize",
      help = "{ client_id, client_secret, refresh_token }" },
  },
  options = {
    { "enable", "array", items = "string", header = "Asana-Enable",
      help = "announced changes to have already" },
    { "disable", "array", items = "string", header = "Asana-Disable",
      help = "announced changes not to have yet" },
    { "requests_per_minute", "integer", min = 1,
      help = "actions started per minute (Asana allows 150 to free domains, 1,500 to paid ones)" },
  },
  errors = {
    code = { "errors.1.code", "error" },
    message = {},
  },
  response = {
    request_id = { "x-request-id" },
  },
  limits = {
    { name = "read", in_flight = 50 },
    { name = "write", in_flight = 15 },
    { name = "minute", per_minute_option = "requests_per_minute" },
  },
  changes = { header = "asana-change", name = "name", silenced_by = { "enable", "disable" } },
  operations = {
    {
      name = "create_batch_request", method = "POST", path = "/batch",
      summary = "Runs up to ten actions; data[i] of the answer belongs to actions[i].",
      repeats = "never_sent",
      repeats_if = { every = "data.actions", field = "method", one_of = reads, repeats = "safe" },
      weights = {
        { limit = "read", count = "data.actions", field = "method", one_of = reads },
        { limit = "write", count = "data.actions", field = "method", none_of = reads },
        { limit = "minute", count = "data.actions" },
      },
      body = {
        type = "object", required = true,
        fields = {
          { "data", "object", required = true, fields = {
            { "actions", "array", required = true, min_items = 1, max_items = 10,
              help = "the calls",
              items = {
                type = "object", closed = true,
                fields = {
                  { "relative_path", "string", required = true, pattern = "^/[^?#]*$",
                    pattern_help = "a path from '/' on without a query (parameters go into data)",
                    never = {
                      { "^/batch/?$", "a batch cannot stand within a batch" },
                      { "^/organization_exports", "a batch does not serve organization exports" },
                      { "^/scim", "a batch does not serve SCIM" },
                      { "^/api/1%.0/",
                        "the path begins below the base URL: leave '/api/1.0' out" },
                    },
                    help = "path below the base URL, such as /tasks/123" },
                  { "method", "string", required = true, case = "lower",
                    one_of = { "get", "post", "put", "delete", "patch", "head" },
                      help = "in lower case" },
                  { "data", "map",
                    help = "for get the query, else what would stand in the body's data" },
                  { "options", "object", closed = true, help = "paging and output of this action",
                    fields = {
                    { "limit", "integer", min = 1, max = 100, help = "items in a page" },
                    { "offset", "string", min_length = 1,
                      help = "of the next page, as the answer gave it" },
                    { "fields", "array", items = "string", help = "fields to return" },
                    { "expand", "array", items = "string", help = "fields to return whole" },
                  } },
                },
                refuse = {
                  { when = { method = "^post$", relative_path = "^/attachments/?$" },
                    why = "a batch cannot upload attachments" },
                  { when = { method = "^post$", relative_path = "^/tasks/[^/]+/attachments/?$" },
                    why = "a batch cannot upload attachments" },
                },
              } },
          } },
        },
      },
      query = {
        { "opt_fields", "array", items = { type = "string", one_of = { "body", "headers",
          "status_code" } },
          help = "what to return of each result" },
        { "opt_pretty", "boolean", help = "for debugging: the answer in readable form" },
      },
      example = [[asana:create_batch_request{ data = { actions = {
    { method = "get", relative_path = "/users/me" },
    { method = "post", relative_path = "/tasks", data = { name = "Write",
      workspace = "12345" } } } } }]],
    },
  },
  run = {
    family = "envelope",
    request = {
      safe = { path = "method", one_of = reads },
    },
    limits = { requests = 10 },
    concurrency = 8, -- the limits above say how many actions may be in flight
    create = {
      operation = "create_batch_request", arguments = { { data = { actions = "$requests" } } },
    },
    items = "data",
    result = {
      status = "status_code", body = "body",
      code = { "body.errors.1.code", "body.error" }, message = { "body.errors.1.message" },
      retry = { statuses = { 429, 500, 502, 503, 504 } }, retry_after = "headers.Retry-After",
    },
    pages = { next = "body.next_page.offset", put = "options.offset", items = "body.data",
      remove = "body.next_page" },
  },
}
