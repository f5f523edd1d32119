--- Robotoff (Open Food Facts): import of batch results. Data only; the words are explained in
--- batchapi/definition/schema/.

return {
  name = "robotoff",
  title = "Robotoff batch import",
  documentation = "https://openfoodfacts.github.io/robotoff/references/api/",
  base_url = "https://robotoff.openfoodfacts.org/api/v1",
  environment = "ROBOTOFF_BASE_URL",
  auth = {
    { kind = "bearer", option = "batch_job_key", environment = "BATCH_JOB_KEY" },
  },
  operations = {
    {
      -- Both parameters stand in the query: the server reads no JSON body.
      name = "batch_import_post", method = "POST", path = "/batch/import",
      summary = "Queues the import of a batch job's results; every accepted call imports again.",
      repeats = "never_sent",
      query = {
        { "job_type", "string", required = true, min_length = 1,
          known = { "ingredients_spellcheck" },
          pattern = "^[%w_]+$",
            pattern_help = "a job type as the server's code names it, with underscores",
          help = "kind of the batch job" },
        { "batch_dir", "string", required = true, min_length = 1,
          help = "folder of the results in the server's bucket" },
      },
      example = [[robotoff:batch_import_post{
    job_type = "ingredients_spellcheck",
      batch_dir = "ingredients-spellcheck/20240915101530-org" }]],
    },
  },
  run = {
    family = "each",
    request = {
      required = { "job_type", "batch_dir" },
      fields = { job_type = "string", batch_dir = "string" },
    },
    concurrency = 1,
    create = { operation = "batch_import_post", arguments = { "$request" } },
  },
}
