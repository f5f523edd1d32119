--- Azure OpenAI: OpenAI's batches with another header, a version in the query and dots in forms.
--- Data only; the words are explained in batchapi/definition/schema/.

return {
  extends = "openai",
  name = "azure",
  title = "Azure OpenAI batches",
  documentation = "https://learn.microsoft.com/azure/ai-services/openai/how-to/batch",
  base_url = "{endpoint}/openai",
  environment = "AZURE_OPENAI_BASE_URL",
  auth = {
    { kind = "header", header = "api-key", option = "api_key",
      environment = "AZURE_OPENAI_API_KEY" },
    { kind = "bearer", option = "access_token", environment = "AZURE_OPENAI_AD_TOKEN",
      help = "a Microsoft Entra token" },
  },
  options = {
    { "endpoint", "string", environment = "AZURE_OPENAI_ENDPOINT",
      pattern = "^https?://[^@%s?#]+$",
      pattern_help = "the address of the resource, https://NAME.openai.azure.com",
      help = "address of the resource" },
    { "api_version", "string", environment = "OPENAI_API_VERSION", query = "api-version",
      default = "2024-10-21", help = "version of the API" },
  },
  response = {
    request_id = { "apim-request-id", "x-request-id" },
    limit = { "x-ratelimit-limit-requests" },
    remaining = { "x-ratelimit-remaining-requests" },
    reset = { "x-ratelimit-reset-requests" },
  },
  operations = {
    { name = "create_file", nesting = "dot" },
    { name = "create_upload", remove = true },
    { name = "add_upload_part", remove = true },
    { name = "complete_upload", remove = true },
    { name = "cancel_upload", remove = true },
    { name = "create_chat_completion", remove = true },
    { name = "create_response", remove = true },
    { name = "create_embedding", remove = true },
  },
  wait = {
    operation = "retrieve_batch", status = "status",
    done = { "completed", "expired", "cancelled" }, failed = { "failed" },
    needs = { -- "completed" comes before the files are named
      { any = { "output_file_id" }, count = "request_counts.completed" },
      { any = { "error_file_id" }, count = "request_counts.failed" },
    },
    reasons = { list = "errors.data", code = "code", message = "message", line = "line" },
    interval = 60, max_interval = 300, -- the service asks for at most one poll a minute
  },
  run = {
    upload = {
      operation = "create_file", id = "id",
      arguments = { {
        file = "$path", purpose = "batch",
        expires_after = { anchor = "created_at", seconds = "$expires_after" },
      } },
      ready = { -- a batch is taken only of a file that was looked through
        operation = "retrieve_file", arguments = { "$file_id" }, status = "status", message = "status_details",
        waits = { "uploaded", "pending", "running" }, failed = { "error", "deleting", "deleted" },
      },
    },
    create = {
      operation = "create_batch", id = "id",
      arguments = { {
        input_file_id = "$file_id", endpoint = "$endpoint", completion_window = "$completion_window",
        metadata = "$metadata",
        output_expires_after = { anchor = "created_at", seconds = "$output_expires_after" },
      } },
      not_yet = { "cannot find file", "not processed", "not yet processed", "processed state",
        "still being processed", "pending" },
      queue = { "token_limit_exceeded" },
    },
  },
}
