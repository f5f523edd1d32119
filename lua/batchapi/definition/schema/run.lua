--- The words of `run`: how work is submitted, watched and collected. Data, in the form that
--- definition/schema/init.lua describes.
---
--- In a template, "$name" stands for a value that is known only while the job runs (definition/template.lua):
--- every option of `run` by its name, and the names of schema.known.

local kinds = require("batchapi.definition.kinds")

local text, flag, number, anything = kinds.text, kinds.flag, kinds.number, kinds.anything
local texts, numbers, any_table = kinds.texts, kinds.numbers, kinds.any_table
local one_of, array_of, map_of = kinds.one_of, kinds.array_of, kinds.map_of

local batches, calls = { "file", "inline" }, { "envelope", "each" }
local of_batches = { "file", "inline", "each" } -- a batch of the family "each" is of one request

return function(section, _, value_type)
  local templates = { said = "an array of templates", check = any_table.check, templates = true }
  local template = { said = "a template", check = any_table.check, templates = true }

  local function call(further)
    local words = {
      { "operation", text, required = true, help = "the operation" },
      { "arguments", templates, required = true, help = "its arguments" },
    }
    for _, word in ipairs(further or {}) do
      words[#words + 1] = word
    end
    return words
  end

  section("run", "How work is run", {
    { "family", one_of{ "file", "inline", "envelope", "each" }, required = true, help = "file: a file is uploaded, a batch "
      .. "made of it, and files collected; inline: the requests stand in the body that makes the batch; envelope: one "
      .. "call carries many requests and answers them; each: one call (or one batch) for each request" },
    { "options", map_of(section"run_option"), help = "options of run beyond the common ones, by name" },
    { "request", section"run_request", help = "what a request is" },
    { "limits", section"run_limits", help = "of one batch or call" },
    { "concurrency", number, help = "batches, or calls, in flight unless the option says otherwise (4)" },
    { "upload", section"run_upload", families = { "file" }, needed = { "file" }, help = "how a part's file is sent" },
    { "create", section"run_create", required = true, help = "how a batch is made, or a call" },
    { "lookup", section"run_lookup", families = batches, help = "how a create whose answer was lost is found again" },
    { "fence", section"run_fence", families = { "file" }, help = "how it is made sure that a lost create never makes a "
      .. "batch. Without it a lost create that was looked for in vain is made again" },
    { "watch", section"run_watch", families = of_batches, help = "adds to the definition's wait" },
    { "collect", array_of(section"run_collect"), families = of_batches, needed = batches, help = "what is fetched of a "
      .. "batch that has ended: files of JSON lines; in the family each the answer is the result" },
    { "items", text, families = { "envelope" }, needed = { "envelope" }, help = "path of the answers in the answer" },
    { "result", section"run_result", help = "how an answer to one request is read" },
    { "pages", section"run_pages", families = calls, help = "how the option follow_pages reads on" },
    { "cancel", section"run_call", families = of_batches, help = "how a batch is cancelled" },
    { "delete", section"run_call", families = { "file" }, help = "what the option cleanup does to each file ($file_id)" },
  })

  section("run_option", "An option of run", {
    { "type", value_type, help = "its type" },
    { "required", flag, help = "it must be given" },
    { "infer", text, help = "path in the first request that it is taken from" },
    { "needed", flag, help = "with infer: there is no going without" },
    { "default", anything, help = "its value when absent" },
    { "window", one_of{ "s", "m", "h", "d", "w" }, help = "it says how long the service may take: the unit of a number" },
    { "one_of", texts, help = "the words it may be", example = [[one_of = { "24h", "7d" }]] },
    { "help", text, help = "what it does" },
  })

  section("run_request", "A request", {
    { "type", one_of{ "object", "string" }, help = "object (the default) or string" },
    { "id", text, needed = batches, help = "the field with the caller's own id (absent: answers match by position)" },
    { "id_pattern", text, help = "Lua pattern that ids match" },
    { "id_max", number, help = "bytes of an id at most" },
    { "required", texts, help = "fields that must be there" },
    { "fields", map_of(value_type), help = "all the fields there may be, and their types" },
    { "defaults", template, help = "templates of fields that are absent" },
    { "verbatim", texts, help = "fields with which a JSONL line is sent byte for byte" },
    { "equal", map_of(text), templates = true, help = "field = template: what the service insists on" },
    { "uniform", texts, help = "paths whose value is one in all of a batch" },
    { "send", template, help = "what goes out, if it is not the request itself ($request.field)",
      example = [[send = { key = "$request.id", request = "$request.body" }]] },
    { "safe", section"run_among", families = calls, help = "repeating these harms nothing" },
    { "depends", section"run_depends", families = { "envelope" }, help = "requests that need one another go in one call" },
  })

  section("run_depends", "Requests that depend on others", {
    { "field", text, required = true, help = "path of the ids that a request depends on" },
    { "failed", numbers, help = "statuses of one that did not run because such a request failed" },
  })

  section("run_among", "A rule on words", {
    { "path", text, help = "path of a word" },
    { "every", text, help = "or of an array" },
    { "field", text, help = "path of the word in each element" },
    { "one_of", texts, required = true, help = "the words that are right" },
  })

  section("run_limits", "Limits of one batch or call", {
    { "requests", number, families = { "file", "inline", "envelope" }, help = "requests at most" },
    { "bytes", number, help = "bytes at most" },
    { "inputs", section"run_inputs", families = batches, help = "inputs at most, where a request may hold several" },
  })

  section("run_inputs", "Inputs within requests", {
    { "path", text, required = true, help = "path of the array" },
    { "url", text, required = true, help = "of requests whose url ends so" },
    { "max", number, required = true, help = "elements in a batch at most" },
  })

  section("run_call", "A call", call())

  section("run_upload", "How a file is sent", call{
    { "id", text, required = true, help = "path of the file's id in the answer" },
    { "ready", section"run_ready", help = "where a batch can be made only of a file that the service has looked through" },
  })

  section("run_ready", "When a file can be used", call{
    { "status", text, required = true, help = "path of the file's state" },
    { "waits", texts, required = true, help = "states to wait through, in lower case" },
    { "failed", texts, help = "states in which it is of no use" },
    { "message", text, help = "path of the reason" },
  })

  section("run_fence", "How a lost create is kept from making a batch", {
    { "visible", section"run_call", required = true, help = "shows the file ($file_id)" },
    { "delete", section"run_call", required = true, help = "deletes it" },
  })

  section("run_create", "How a batch is made", call{
    { "id", text, needed = batches, help = "path of the batch's id; absent: the answer is the result" },
    { "not_yet", texts, families = batches, help = "texts in a message, in any case, that mean 'again in a moment'" },
    { "queue", texts, families = batches, help = "codes that mean 'when another batch has ended'" },
  })

  section("run_lookup", "How a batch is found", {
    { "operation", text, required = true, help = "a list" },
    { "query", template, help = "templates; $since is the date and time that it is read back to" },
    { "token", text, required = true, help = "path of the metadata's token in an item" },
    { "id", text, required = true, help = "path of the batch's id in an item" },
    { "created", text, help = "path of its time, a number; the list then is newest first" },
    { "file", text, help = "path of the id of the file it was made of" },
  })

  section("run_watch", "What run adds to wait", {
    { "arguments", templates, help = "of the operation that watches", example = [[arguments = { "$batch_id" }]] },
    { "expired", texts, help = "states in which its time was over" },
    { "cancelled", texts, help = "states in which it was cancelled" },
    { "usage", text, help = "path of what was used" },
    { "counts", section"run_counts", help = "how far it is" },
  })

  section("run_counts", "How far a batch is", {
    { "total", text, help = "path of the number of requests" },
    { "completed", text, help = "of those that are done" },
    { "failed", text, help = "of those that failed" },
  })

  section("run_collect", "What is fetched", call{
    { "id", text, help = "path, in the batch, of what is asked for; empty: there is none" },
  })

  section("run_result", "How an answer is read", {
    { "id", text, needed = batches, help = "path of the request's id" },
    { "status", text, help = "path of the HTTP status" },
    { "body", text, help = "path of the body" },
    { "failed", text, help = "path that is there only when the request failed" },
    { "code", texts, help = "paths of the code, of which the first that is there counts" },
    { "message", texts, help = "paths of the message" },
    { "ok", section"run_among", help = "what makes a success, in the place of a status from 200 to 299" },
    { "retry", section"run_retry", help = "what the option attempts repeats" },
    { "retry_after", text, help = "path of the seconds to wait" },
  })

  section("run_retry", "What may be repeated", {
    { "statuses", numbers, help = "statuses" },
    { "codes", texts, help = "codes" },
  })

  section("run_pages", "How an answer goes on", {
    { "next", text, required = true, help = "path of the cursor in an answer" },
    { "put", text, required = true, help = "path in the request that it goes to" },
    { "items", text, required = true, help = "path of the array that grows" },
    { "remove", text, help = "path that is left out of the whole" },
  })
end
