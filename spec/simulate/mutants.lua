--- Faults that are planted one at a time, to see that the simulator finds each: a rule that no
--- mutant breaks is not known to be checked. A new rule adds its mutant here.
---
--- A mutant changes the text of modules as they are loaded, and nothing else; what it changes must
--- stand there exactly once, so that a mutant that no longer applies is an error.

local M = {}

-- What a mutant is found by: a violation that says so. Another may only follow from it.
local TWICE, LOST = "carried out", "the service made the answer"

-- { its name, what it does wrong, { module, text, other text }s, what it is found by, a part of the plan where it
-- shows itself seldom }
M.list = {
  -- submitting once: the rules, and the variants of the model (submit_once) that fail
  { "lost_create_again", "a create whose answer was lost is made again at once", { { "batchapi.job.batch.submit",
    [[return "lost"]], [[part.status = "uploaded" return "again"]] } }, TWICE },
  { "adopt_by_token", "a batch of an earlier file is adopted (match-file dropped)", { { "batchapi.job.batch.lookup",
    [[(not by_file or match.file == part.file_id)]], [[true]] } }, TWICE },
  { "no_fence", "the input file is not deleted before a part begins anew", { { "batchapi.job.batch.fence",
    [[local deleted, message, failure = job:call(job.run.fence.delete, job:known(part.part))]],
    [[local deleted, message, failure = {}, nil, nil]] } }, TWICE },
  { "delete_unanswered", "a delete without an answer counts as one (drop-ack)", { { "batchapi.job.batch.fence",
    [[return deleted or failure.status == 404, message, failure]], [[return true, deleted, message, failure]] } }, TWICE },
  { "no_settling", "after the delete nobody waits before the last look (drop-lag)", { { "batchapi.job.batch.lookup",
    [[local over = waited() >= settle]], [[local over = waited() >= 0]] } }, TWICE },
  { "unseen_file", "a 404 to the delete counts although the file was never seen (drop-404)", { { "batchapi.job.batch.fence",
    [[  return persist.run(job, attempt, function(err, asked)]],
    [[  return persist.run(job, function()
      local answer, why, err = attempt()
      return answer or err.status == 404, why, err
    end, function(err, asked)]] } }, TWICE },
  { "fenced_keeps_file", "after the fence the same file is used again", {
    { "batchapi.job.batch.fence", [[job:record{ type = "fenced", part = part.part, file_id = part.file_id }]],
      [[job:record{ type = "uncreated", part = part.part, why = "not found" }]] },
    { "batchapi.job.batch.fence", [[return ok and "fenced" or nil, why, err]],
      [[return ok and "absent" or nil, why, err]] } }, "says unknown_outcome" },
  { "list_cut_short", "an empty page is taken for the end of a list (drop-truncated)", { { "batchapi.client.pages",
    [[if more == false or more == nil and #items == 0 and not by_cursor then]],
    [[if more == false or #items == 0 then]] } }, TWICE },
  { "no_sync_before_create", "the intent of a create is not on the disk before it is sent", { { "batchapi.job.store.journal",
    [[elseif lazy then]], [[elseif lazy or record.type == "create" then]] } }, TWICE },
  { "no_sync_before_call", "the intent of a call that writes is not on the disk before it is sent", {
    { "batchapi.job.store.journal", [[elseif lazy then]], [[elseif lazy or record.type == "call" then]] } }, TWICE },
  { "unknown_call_again", "a call that nobody knows the outcome of is repeated though it writes", {
    { "batchapi.job.call.failed", [[elseif not call.safe then]], [[elseif not call.items[1] then]] } }, TWICE },
  { "unknown_call_forgotten", "a process that comes to an open call sends it again", { { "batchapi.job.call",
    [[  local call = { number = open.call, items = {}, batch_id = open.batch_id, resumed = true }]],
    [[  local call = { number = open.call, items = {}, batch_id = open.batch_id, resumed = true }
  if not open.batch_id then
    for _, index in ipairs(open.requests) do
      job.ledger:set(index, 0)
    end
    job.pass.exhausted = false
    return true
  end]] } }, TWICE },

  -- what was paid for is kept
  { "names_not_awaited", "a batch that has ended is collected before it names where its answers are", {
    { "batchapi.watch.states", [[lacks = lacks or nil }]], [[lacks = lacks and nil }]] } }, LOST },
  { "first_404_is_final", "one 404 to a poll is believed", { { "batchapi.watch.polling",
    [[if not self.refused:heard(asked) then]], [[if false then]] } }, "says gone" },
  { "cleanup_at_once", "cleanup deletes the answers before they are durable here", { { "batchapi.job.batch",
    [[function steps.ended(job, part)]],
    [[function steps.ended(job, part)
  if job.options.cleanup and job.run.delete and collect.download(job, part) then
    clean(job, part)
  end]] } }, LOST },
  { "cleanup_all", "cleanup deletes answers that could not be read", { { "batchapi.job.batch",
    [[or part.uncleaned or part.incomplete]], [[or part.uncleaned]] } }, "cleanup deleted" },
  { "settled_before_results", "a part is recorded as settled before its results are on the disk", {
    { "batchapi.job.batch.collect", [[ok, why, err = job.store:sync()]], [[ok, why, err = true, nil, nil]] } },
    "are missing" },
  { "broken_line_dropped", "a line that cannot be read is thrown away", { { "batchapi.job.batch.claim",
    [[function settling:give_unreadable(line, why)]],
    [[function settling:give_unreadable(line, why)
  if line then
    return true
  end]] } }, "thrown away" },
  { "strangers_dropped", "a line that belongs to nobody is thrown away", { { "batchapi.job.batch.claim",
    [[    self.strangers = self.strangers + 1
    return self.unclaimed:add(line)]],
    [[    self.strangers = self.strangers + 1
    return true]] } }, "thrown away" },
  { "both_lines_count", "of two lines for a request both make a result", { { "batchapi.job.batch.claim",
    [[elseif mark ~= self.mine or self:is_elsewhere(index) then]], [[elseif not mark then]] } }, "two results" },
  { "first_reason_for_all", "every request of a refused batch gets the first reason", { { "batchapi.job.batch.collect",
    [[if reason.line == line_number then]], [[if reason.line then]] } }, "says invalid_json" },
  { "order_of_arrival", "an ordered job hands out results as they came", { { "batchapi.job.output.results",
    [[_ordered = (job.options.ordered or job.store.reopened) and]], [[_ordered = not job.options and]] } },
    "in an ordered job" },

  -- what retries, outages and stopped processes must not do
  { "answer_counts_when_read", "an answer counts from when it was read, not from when it was asked for", {
    { "batchapi.watch.doubt", [[(asked or now) - self.last]], [[now - self.last]] } }, "says gone",
    { shape = "batch", rates = { ["process.paused"] = 0.05, ["batch.late"] = 0.7 } } },
  { "outage_counts", "time in which nobody answered counts as time in which a no was said", { { "batchapi.watch.doubt",
    [[  self.last, self.count, self.after = nil, 0, 0
end]], [[end]] } }, "says uncollected",
    { shape = "batch", rates = { ["net.outage"] = 0.03, ["result.late"] = 0.6, ["batch.hidden"] = 0.3,
      ["net.lost_answer"] = 0.2 } } },
  { "outage_is_an_answer", "a read that fails for a quarter of an hour is given that for its result", {
    { "batchapi.job.call.failed", [[return (call.alone or 0) >= SAFE_TRIES and]], [[return]] } }, "says http_503",
    { shape = "graph", rates = { ["net.outage"] = 0.03, ["process.killed"] = 0.5 } } },
  { "hole_in_a_list", "what an empty page by its number held counts as absent", { { "batchapi.job.batch.lookup",
    [[elseif item == nil and items:is_whole() then]], [[elseif item == nil then]] } }, TWICE,
    { shape = "mistral", rates = { ["list.empty_page"] = 0.5, ["create.unanswered"] = 0.6 } } },
  { "sent_again_here_too", "a part opened again repeats what is sent again already", { { "batchapi.job.batch.collect",
    [[if self:is_elsewhere(index) then]], [[if false then]] } }, TWICE,
    { shape = "file", rates = { ["job.retried"] = 1, ["result.gone"] = 0.3, ["batch.expires"] = 0.4,
      ["line.garbage"] = 0.4 } } },
}


local function apply(name, source, from, to)
  local at, till = source:find(from, 1, true)
  assert(at, name .. ": what the mutant changes is not there")
  assert(not source:find(from, till + 1, true), name .. ": what the mutant changes is there twice")
  return source:sub(1, at - 1) .. to .. source:sub(till + 1)
end


local load_text = rawget(_G, "loadstring") or load


local search = package.searchpath or function(module, path)
  for template in path:gmatch("[^;]+") do
    local file = template:gsub("%?", (module:gsub("%.", "/")))
    local handle = io.open(file)
    if handle then
      handle:close()
      return file
    end
  end
end


---@param name string
---@return table mutant
function M.find(name)
  for _, mutant in ipairs(M.list) do
    if mutant[1] == name then
      return mutant
    end
  end
  error("no mutant is called " .. tostring(name))
end


--- The modules that a mutant changes, changed.
---@param name string
---@return table<string, function> by the module's name
function M.chunks(name)
  local edits = {}
  for _, edit in ipairs(M.find(name)[3]) do
    edits[edit[1]] = edits[edit[1]] or {}
    table.insert(edits[edit[1]], edit)
  end
  local chunks = {}
  for module, list in pairs(edits) do
    local path = assert(search(module, package.path), module)
    local handle = assert(io.open(path, "rb"))
    local source = handle:read("*a")
    handle:close()
    for _, edit in ipairs(list) do
      source = apply(name, source, edit[2], edit[3])
    end
    chunks[module] = assert(load_text(source, "@" .. path))
  end
  return chunks
end


--- Plants a mutant: its modules are changed as they are loaded, so it comes before any of them.
---@param name string
function M.plant(name)
  for module, chunk in pairs(M.chunks(name)) do
    assert(not package.loaded[module], module .. " is loaded already")
    package.preload[module] = chunk
  end
end


return M
