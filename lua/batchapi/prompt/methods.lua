--- What batchapi.help says of the verbs that every client has, and of the module's own functions.
--- Data only; help.lua makes the text. A parameter is { name, type, what it is }; `options` is the list
--- (check/options.lua) by which the last one is checked.

return {
  {
    name = "run", call = "client:run(requests, [options]) -> job",
    summary = "Runs any number of requests as a job: checks, splits, submits once, collects; one result for each.",
    parameters = {
      { "requests", "array, iterator or path of a JSONL file", "what the service's batches take, one by one" },
    },
    options = require("batchapi.definition.run_options"),
    returns = "a job: for result in job:results(), job:wait(), job:status(), job:cancel(), job:close(); or nil, why, err.\n"
      .. "A result is { custom_id, index, ok, status, body, error = { code, message } }.",
    example = [[local job = assert(openai:run(requests, { endpoint = "/v1/embeddings", dir = "my-job" }))
for result in job:results() do print(result.custom_id, result.ok) end]],
  },
  {
    name = "wait", call = "client:wait(id, [options]) -> answer, nil, response",
    summary = "Polls a batch until it has ended, also as cancelled or expired.",
    parameters = { { "id", "string", "the batch's id, as its creation answered it" } },
    options = require("batchapi.client.wait").options,
    returns = "the last answer; nil, why, err: err.kind is \"job\" when the batch failed, \"timeout\" when it still runs.",
    example = [[local batch = assert(openai:wait("batch_1", { timeout = 3600 }))]],
  },
  {
    name = "each", call = "client:each(operation, ...) -> iterator",
    summary = "The items of a list, one by one; pages are fetched as they are needed.",
    parameters = {
      { "operation", "string", "name of a list operation" },
      { "...", "", "its arguments; a limit in the query is the items in a page, not in all" },
    },
    returns = "for a `for`, where a failure raises; iterator:next() gives the item, nil at the end, or nil, why, err.",
    example = [[for batch in openai:each("list_batches") do print(batch.id, batch.status) end]],
  },
  {
    name = "pages", call = "client:pages(operation, ...) -> iterator",
    summary = "The pages of a list, as the service answers them.",
    parameters = {
      { "operation", "string", "name of a list operation" },
      { "...", "", "its arguments" },
    },
    returns = "for a `for`, where a failure raises; iterator:next() gives the page, nil at the end, or nil, why, err.",
    example = [[for page in openai:pages("list_files", { limit = 100 }) do print(#page.data) end]],
  },
  {
    name = "lines", call = "client:lines(operation, ...) -> iterator",
    summary = "The JSON lines of a file, decoded one by one as they arrive; the file is never held whole.",
    parameters = {
      { "operation", "string", "name of an operation that answers with a file" },
      { "...", "", "its arguments, without `to`" },
    },
    returns = "for a `for`, where a failure raises; iterator:next() gives the value, nil at the end, or nil, why, err;\n"
      .. "iterator:close() leaves the rest. The option max_line_bytes of the client bounds a line.",
    example = [[for line in openai:lines("download_file", "file-1") do print(line.custom_id) end]],
  },
  {
    name = "request", call = "client:request{ method, path, ... } -> answer, nil, response",
    summary = "A call that no operation describes, with the client's credential, limits and repeats.",
    parameters = {},
    options = require("batchapi.call.request").free_options,
    returns = "the answer, decoded if it is JSON; { path, bytes } with `to`; or nil, why, err.",
    example = [[local models = assert(openai:request{ path = "/models" })]],
  },
  {
    name = "with", call = "client:with(options) -> client",
    summary = "A client that differs in these options only; connections, limits and counts are shared.",
    parameters = { { "options", "table", "as the service's constructor takes them: batchapi.help(\"options\")" } },
    returns = "a client; or nil, why, err.",
    example = [[local patient = assert(openai:with{ timeout = 300, max_retries = 5 })]],
  },
  {
    name = "stats", call = "client:stats() -> table",
    summary = "Counts since the client was made: requests, attempts, retries, connections, bytes, what is in flight.",
    parameters = {}, returns = "a table of counts; retries is itself a table, by reason.",
    example = [[print(openai:stats().in_flight)]],
  },
  {
    name = "close", call = "client:close()",
    summary = "Ends the client: calls in flight end with err.kind \"closed\", later ones raise. May be called again.",
    parameters = {}, returns = "nothing.",
    example = [[openai:close()]],
  },
  {
    name = "resume", module = true, call = "batchapi.resume(dir, [options]) -> job",
    summary = "Goes on with the job whose journal is in dir; of one that has ended the results are given again.",
    parameters = { { "dir", "string", "the directory that `run` was given" } },
    options = require("batchapi.job").resume_options,
    returns = "a job, as `run` gives it; or nil, why, err (err.kind \"locked\": another process holds it).",
    example = [[local job = assert(batchapi.resume("my-job", { client = openai }))]],
  },
  {
    name = "parallel", module = true, call = "batchapi.parallel(f, ...) -> value, ...",
    summary = "Runs functions at the same time; while one waits for its call, the others go on.",
    parameters = { { "f, ...", "function", "each without arguments" } },
    returns = "the first value of each, in order; nil, why, err as soon as one failed: the others are cancelled.",
    example = [[local batch, files = batchapi.parallel(
  function() return openai:retrieve_batch("batch_1") end,
  function() return openai:list_files() end)]],
  },
  {
    name = "map", module = true, call = "batchapi.map(items, f, [options]) -> array",
    summary = "Calls f(item, index) for each item, many at the same time.",
    parameters = {
      { "items", "array or iterator", "an iterator is asked as places become free" },
      { "f", "function", "its first value is kept" },
    },
    options = require("batchapi.host.parallel").map_options,
    returns = "an array of what f returned, in the items' order; nil, why, err as soon as one failed.",
    example = [[local batches = assert(batchapi.map(ids, function(id) return openai:retrieve_batch(id) end,
  { concurrency = 8 }))]],
  },
}
