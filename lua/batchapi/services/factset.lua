--- FactSet: Asset Cash Flow Projections (batches, documents, scenarios). Data only; the words are
--- explained in batchapi/definition/schema/.

local date_pattern = "^%d%d%d%d%-%d%d%-%d%d$"

local as_of_date = { "asOfDate", "string", pattern = date_pattern,
  pattern_help = "a date YYYY-MM-DD",
  help = "date of the data" }
local portfolios = { "portfolios", "array", items = { type = "string", min_length = 1 },
  help = "such as Client:/ACFP/X.OFDB" }
local scenarios = { "scenarios", "array", items = { type = "string", min_length = 1 },
  help = "such as Client:BASE.CSV" }

local batch_id = { "batchId", "string", help = "id of a batch" }
local document_path = { "documentPath", "string", help = "full name of a document",
  example = "Client:/ACFP/Scenario_01" }

return {
  name = "factset",
  title = "FactSet Asset Cash Flow Projections",
  documentation = "https://developer.factset.com/api-catalog/asset-cash-flow-projections-api",
  base_url = "https://api.factset.com/analytics/asset-cash-flow-projections/v0",
  environment = "FACTSET_BASE_URL",
  auth = {
    { kind = "oauth_client", option = "app_config", environment = "FACTSET_APP_CONFIG",
      help = "path of app-config.json, or its content as a table" },
    { kind = "basic", user_option = "username", user_environment = "FACTSET_USERNAME",
      option = "api_key", environment = "FACTSET_API_KEY" },
  },
  errors = {
    code = { "errors.1.code" },
    message = {},
    auth = { 302 }, -- a broken token is answered with the way to the login page
  },
  response = {
    request_id = { "x-datadirect-request-key", "x-factset-api-request-key" },
    limit = { "x-factset-api-ratelimit-limit" },
    remaining = { "x-factset-api-ratelimit-remaining" },
    reset = { "x-factset-api-ratelimit-reset" },
  },
  operations = {
    {
      name = "post_batch", method = "POST", path = "/batch",
      summary = "Starts a batch for one document.",
      repeats = "never_sent",
      body = { type = "object", required = true, fields = {
        { "data", "object", required = true, fields = {
          { "documentName", "string", required = true, min_length = 1,
            help = "full name, such as Client:Myscenario_01" },
        } },
      } },
      example = [[factset:post_batch{ data = { documentName = "Client:Scenario_01" } }]],
    },
    {
      name = "get_batch_status", method = "GET", path = "/batch/{batchId}/status",
        parameters = { batch_id },
      summary = "Whether a batch is queued, executing, completed or cancelled.",
      example = [[factset:get_batch_status("b1946ac9-…")]],
    },
    {
      name = "get_batch_job_result", method = "GET", path = "/batch/{batchId}/result",
      parameters = { batch_id },
      summary = "The jobs of a batch that has ended, with their logs.",
      example = [[factset:get_batch_job_result("b1946ac9-…")]],
    },
    {
      name = "get_documents", method = "GET", path = "/documents",
      summary = "The documents and directories of a directory.",
      query = {
        { "directoryPath", "string", required = true, min_length = 1, help = "such as Client" },
      },
      example = [[factset:get_documents{ directoryPath = "Client" }]],
    },
    {
      name = "post_document", method = "POST", path = "/documents",
      summary = "Saves a document under another name, with changes.",
      repeats = "never_sent",
      body = { type = "object", required = true, fields = {
        { "data", "object", required = true, fields = {
          { "existingDocumentName", "string", required = true, min_length = 1 },
          { "newDocumentName", "string", required = true, min_length = 1 },
          as_of_date, portfolios, scenarios,
        } },
      } },
      example = [[factset:post_document{ data = {
    existingDocumentName = "Client:/ACFP/A", newDocumentName = "Client:/ACFP/B" } }]],
    },
    {
      name = "get_document_details", method = "GET", path = "/documents/{documentPath}",
      parameters = { document_path },
      summary = "The date, portfolios and scenarios of a document.",
      example = [[factset:get_document_details("Client:/ACFP/Scenario_01")]],
    },
    {
      name = "put_document", method = "PUT", path = "/documents/{documentPath}",
      parameters = { document_path },
      summary = "Changes a document.",
      body = { type = "object", required = true, fields = {
        { "data", "object", required = true, fields = { as_of_date, portfolios, scenarios } },
      } },
      example = [[factset:put_document("Client:/ACFP/A", { data = { asOfDate = "2025-06-30" } })]],
    },
    {
      name = "upload_scenarios", method = "POST", path = "/scenarios",
      summary = "Announces a scenario file; the answer holds the URL to send it to.",
      repeats = "never_sent",
      body = { type = "object", required = true, closed = true, fields = {
        { "data", "object", required = true, closed = true, fields = {
          { "fileName", "string", required = true, max_length = 41,
            pattern = { "%.csv$", "%.scn$", "%.fac$", "%.rts$", "%.CSV$", "%.SCN$", "%.FAC$",
              "%.RTS$" },
            pattern_help = "a name that ends in .csv, .scn, .fac or .rts" },
          { "asOfDate", "string", required = true, pattern = date_pattern,
            pattern_help = "a date YYYY-MM-DD", help = "date of the data" },
          { "overwrite", "boolean", default = false, help = "replace a file of this name" },
          { "replaceSpecialCharacters", "boolean", default = false,
            help = "replace special characters in the name" },
        } },
      } },
      example = [[factset:upload_scenarios{
    data = { fileName = "base.csv", asOfDate = "2025-06-30" } }]],
    },
    {
      name = "get_upload_status", method = "GET", path = "/scenarios/{uploadId}/status",
      parameters = { { "uploadId", "string", help = "id of an upload" } },
      summary = "Whether a scenario file is in place.",
      example = [[factset:get_upload_status("5f3c…")]],
    },
  },
  wait = {
    operation = "get_batch_status", status = "data.status",
    done = { "completed", "cancelled", "canceled", "created", "done" }, failed = { "failed",
      "error" },
    done_statuses = { 201 }, -- the body's word goes before it
    reasons = { list = "errors", code = "code", message = "title" },
  },
  run = {
    family = "each",
    request = { type = "string" },
    concurrency = 4,
    create = {
      operation = "post_batch", arguments = { { data = { documentName = "$request" } } },
      id = "data.batchId",
    },
    watch = { cancelled = { "cancelled", "canceled" } },
    collect = {
      { operation = "get_batch_job_result", arguments = { "$batch_id" } },
    },
    result = {
      ok = { every = "data.jobs", field = "status", one_of = { "created" } },
      code = { "data.jobs.1.status", "data.status" },
      message = { "data.jobs.1.logs.errors.1.title", "data.jobs.1.logs.errors.1.detail" },
    },
  },
}
