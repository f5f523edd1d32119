--- Groq: OpenAI's batches at another address. Data only; the words are explained in
--- batchapi/definition/schema/.

return {
  extends = "openai",
  name = "groq",
  title = "Groq Batch API (OpenAI-compatible)",
  documentation = "https://console.groq.com/docs/batch",
  base_url = "https://api.groq.com/openai/v1",
  environment = "GROQ_BASE_URL",
  base_path = "/openai/v1", -- which Groq's own SDKs add to the variable
  auth = {
    { kind = "bearer", option = "api_key", environment = "GROQ_API_KEY" },
  },
  operations = {
    { name = "create_upload", remove = true },
    { name = "add_upload_part", remove = true },
    { name = "complete_upload", remove = true },
    { name = "cancel_upload", remove = true },
    { name = "create_embedding", remove = true },
  },
}
