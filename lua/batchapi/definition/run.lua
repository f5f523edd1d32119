--- The `run` section of a definition: how work is submitted, watched and collected, as data.
---
--- In a template, "$name" stands for a value known only while the job runs (batchapi.job.template):
--- every option of `run` by its name (`$endpoint`, `$metadata` with the part's token added, …),
--- `$path` of the part's file, `$file_id`, `$batch_id`, `$result_id`, `$requests` (the requests of
--- a part, an array) and, in the family "each", `$request`. A path is dotted text, "" the value
--- itself.
---
--- | word | what it says |
--- |---|---|
--- | `family` | "file": a file is uploaded, a batch made of it, and files collected; "inline": the requests stand in the body that makes the batch; "envelope": one call carries many requests and answers them; "each": one call (or one batch) for each request |
--- | `options` | options of `run` beyond the common ones: name = `{ type =, required =, default =, one_of =, help = }`; `infer`, a path in the first request it is taken from, then `needed` if it cannot do without; `window`, where it says how long the service may take: the unit of a plain number ("s", "m", "h", "d", "w") |
--- | `request` | what a request is (below) |
--- | `limits` | of one batch or call: `requests`, `bytes`, `inputs = { path =, url =, max = }` (elements of the array at `path`, in requests whose `url` field ends so) |
--- | `concurrency` | batches, or calls, in flight unless the option says otherwise |
--- | `upload` | family "file": `operation`, `arguments` (templates), `id` (path of the file's id in the answer); `ready = { operation =, arguments =, status =, waits =, failed =, message = }`, where a batch can be made only of a file that the service has looked through: what tells of it, the path of its state, the states (lower case) to wait through and those in which it is of no use, the path of the reason |
--- | `create` | `operation`, `arguments`, `id` (path of the batch's id; absent: the answer is the result), `not_yet` (texts in a message, any case, that mean "again in a moment"), `queue` (codes that mean "when another batch has ended") |
--- | `lookup` | how a create whose answer was lost is found again: `operation` (a list), `query` (templates; `$since` is the date and time that it is read back to), `token` (path of the metadata's token in an item), `id`, `created` (path of its time, a number; the list then is newest first), `file` (path of the id of the file it was made of) |
--- | `fence` | family "file": how it is made sure that a lost create never makes a batch: `visible` and `delete`, each `operation` and `arguments` (with `$file_id`). Without it a lost create that was looked for in vain is made again |
--- | `watch` | adds to the definition's `wait`: `arguments`, `expired`, `cancelled` (states), `counts = { total =, completed =, failed = }`, `usage` (path) |
--- | `collect` | an array: `operation`, `arguments`, `id` (path, in the batch, of what is asked for; empty: there is none). A file of JSON lines; in the family "each", whose batches are of one request, the answer is the result |
--- | `items` | envelope: path of the answers in the answer |
--- | `result` | how an answer line is read (below) |
--- | `pages` | `follow_pages`: `next` (path of the cursor in an answer), `put` (path in the request it goes to), `items` (path of the array that grows), `remove` (path left out of the whole) |
--- | `cancel` | `operation`, `arguments` |
--- | `delete` | `operation`, `arguments` (with `$file_id`): what `cleanup` does to each file |
---
--- **request**: `type` "table" (default) or "string"; `id`, the field with the caller's own id
--- (absent: answers match by position); `id_pattern` (a Lua pattern), `id_max`; `required`, fields;
--- `fields`, name = type, all there may be; `defaults`, templates; `verbatim`, fields with which a
--- JSONL line is sent byte for byte; `equal`, field = template, what the service insists on;
--- `uniform`, paths whose value is one in all of a batch; `send`, a template of what goes out, if
--- it is not the request itself (`$request.field`); `safe`, `{ path =, one_of = }`: repeating these
--- harms nothing; `depends = { field =, failed = }`, family "envelope", without `send`: the path of
--- the ids that a request depends on, which go in the same call, and the statuses of one that did not
--- run because such a request failed.
---
--- **result**: `id`, `status`, `body` (paths); `failed`, a path that is only there when the request
--- failed; `code`, `message`, paths of which the first that is there counts; `ok`, `{ path =,
--- one_of = }` or `{ every = path of an array, field =, one_of = }`, instead of a status from 200
--- to 299; `retry = { statuses =, codes = }`, what `attempts` repeats; `retry_after`, path of the
--- seconds to wait.

local words = require("batchapi.definition.words")

local M = {}


local kinds = words.kinds
local text, flag, number = kinds.text, kinds.flag, kinds.number
local any_table, anything, texts = kinds.any_table, kinds.anything, kinds.texts
local one_of, array_of, map_of = kinds.one_of, kinds.array_of, kinds.map_of
local section, required = kinds.section, kinds.required

local call = { operation = required(text), arguments = required(any_table) }


local function with(extra)
  local all = {}
  for word, check in pairs(call) do
    all[word] = check
  end
  for word, check in pairs(extra) do
    all[word] = check
  end
  return all
end


words.sections.run = {
  family = required(one_of{ "file", "inline", "envelope", "each" }),
  options = map_of(section("run_option")), request = section("run_request"),
  limits = section("run_limits"), concurrency = number,
  upload = section("run_upload"), create = required(section("run_create")),
  lookup = section("run_lookup"), fence = section("run_fence"), watch = section("run_watch"),
  collect = array_of(section("run_collect")), items = text,
  result = section("run_result"), pages = section("run_pages"),
  cancel = section("run_call"), delete = section("run_call"),
}
words.sections.run_option = {
  type = one_of{ "string", "number", "boolean", "table" }, required = flag, needed = flag, infer = text,
  default = anything, window = one_of{ "s", "m", "h", "d", "w" },
  one_of = texts, help = text,
}
words.sections.run_request = {
  type = one_of{ "table", "string" }, id = text, id_pattern = text, id_max = number,
  required = texts, fields = map_of(one_of{ "string", "number", "boolean", "table", "any" }),
  defaults = any_table, verbatim = texts, equal = map_of(text), uniform = texts,
  send = any_table, safe = section("run_among"), depends = section("run_depends"),
}
words.sections.run_depends = { field = required(text), failed = array_of(number) }
words.sections.run_among = {
  path = text, every = text, field = text, one_of = required(texts),
}
words.sections.run_limits = { requests = number, bytes = number, inputs = section("run_inputs") }
words.sections.run_inputs = { path = required(text), url = required(text), max = required(number) }
words.sections.run_call = call
words.sections.run_upload = with{ id = required(text), ready = section("run_ready") }
words.sections.run_ready = with{ status = required(text), waits = required(texts), failed = texts, message = text }
words.sections.run_fence = { visible = required(section("run_call")), delete = required(section("run_call")) }
words.sections.run_create = with{ id = text, not_yet = texts, queue = texts }
words.sections.run_lookup = {
  operation = required(text), query = any_table, token = required(text), id = required(text),
  created = text, file = text,
}
words.sections.run_watch = {
  arguments = any_table, expired = texts, cancelled = texts, usage = text,
  counts = section("run_counts"),
}
words.sections.run_counts = { total = text, completed = text, failed = text }
words.sections.run_collect = {
  operation = required(text), arguments = required(any_table), id = text,
}
words.sections.run_result = {
  id = text, status = text, body = text, failed = text, code = texts, message = texts,
  ok = section("run_among"), retry = section("run_retry"), retry_after = text,
}
words.sections.run_retry = { statuses = array_of(number), codes = texts }
words.sections.run_pages = {
  next = required(text), put = required(text), items = required(text), remove = text,
}


-- ---- what belongs together ----------------------------------------------------------------------

local function find_operation(definition, name)
  for _, operation in ipairs(definition.operations or {}) do
    if operation.name == name then
      return operation
    end
  end
end


local function check_operations(run, definition)
  local places = {
    { "upload", run.upload }, { "create", run.create }, { "lookup", run.lookup },
    { "cancel", run.cancel }, { "delete", run.delete }, { "upload.ready", (run.upload or {}).ready },
    { "fence.visible", (run.fence or {}).visible }, { "fence.delete", (run.fence or {}).delete },
  }
  for i, source in ipairs(run.collect or {}) do
    places[#places + 1] = { ("collect[%d]"):format(i), source }
  end
  for _, entry in ipairs(places) do
    local name = entry[2] and entry[2].operation
    if name and not find_operation(definition, name) then
      words.refuse(("run.%s.operation"):format(entry[1]), ("the service has no operation '%s'"):format(name))
    end
  end
  if run.lookup and not find_operation(definition, run.lookup.operation).page then
    words.refuse("run.lookup.operation", "must be an operation with pages")
  end
end


local needed = {
  file = { "upload", "collect" },
  inline = { "collect" },
  envelope = { "items" },
  each = {},
}


local function check_family(run, definition)
  for _, word in ipairs(needed[run.family]) do
    if not run[word] then
      words.refuse("run", ("family = '%s' needs '%s'"):format(run.family, word))
    end
  end
  local is_batch = run.create.id ~= nil
  if is_batch and not definition.wait then
    words.refuse("run", "a batch must be watched: the definition needs 'wait'")
  elseif is_batch and not run.collect then
    words.refuse("run", "a batch must be collected: 'collect' is missing")
  elseif not is_batch and (run.family == "file" or run.family == "inline") then
    words.refuse("run.create", ("family = '%s' needs 'id'"):format(run.family))
  elseif (run.family == "file" or run.family == "inline") and not (run.request.id and (run.result or {}).id) then
    words.refuse("run", "answers of a batch match by id: 'request.id' and 'result.id' are needed")
  elseif run.fence and not (run.family == "file" and (run.lookup or {}).file) then
    words.refuse("run.fence", "is for family = 'file', and needs 'lookup.file'")
  elseif (run.request or {}).depends and not (run.family == "envelope" and run.request.id) then
    words.refuse("run.request.depends", "is for family = 'envelope' and requests with 'id'")
  elseif (run.request or {}).depends and run.request.send then -- the ids are looked for in what the user gave
    words.refuse("run.request.depends", "cannot stand beside 'send'")
  end
end


local checked = setmetatable({}, { __mode = "k" })


--- Checks a `run` section against its definition; raises with the word and the place. A section
--- that was found right once is not looked at again.
---@param run table
---@param definition table raw or compiled: `operations` and `wait` are looked at
function M.check(run, definition)
  if checked[run] then
    return
  end
  words.check(run, "run", ".run")
  check_operations(run, definition)
  check_family(run, definition)
  checked[run] = true
end


return M
