--- Faults that are planted one at a time, to see that the simulator finds each: a rule that no
--- mutant breaks is not known to be checked. A new rule adds its mutant here.
---
--- A mutant changes the text of modules as they are loaded, and nothing else; what it changes must
--- stand there exactly once, so that a mutant that no longer applies is an error.

local M = {}

M.list = {
  -- submitting once: the rules, and the variants of the model (submit_once) that fail
  { "lost_create_again", "a create whose answer was lost is made again at once", { { "batchapi.job.batch.submit",
    [[return "lost"]], [[part.status = "uploaded" return "again"]] } } },
  { "adopt_by_token", "a batch of an earlier file is adopted (match-file dropped)", { { "batchapi.job.batch.lookup",
    [[(not by_file or match.file == part.file_id)]], [[true]] } } },
  { "no_fence", "the input file is not deleted before a part begins anew", { { "batchapi.job.batch.fence",
    [[local deleted, message, failure = job:call(job.run.fence.delete, job:known(part.part))]],
    [[local deleted, message, failure = {}, nil, nil]] } } },
  { "delete_unanswered", "a delete without an answer counts as one (drop-ack)", { { "batchapi.job.batch.fence",
    [[return deleted or failure.status == 404, message, failure]], [[return true, deleted, message, failure]] } } },
  { "no_settling", "after the delete nobody waits before the last look (drop-lag)", { { "batchapi.job.batch.lookup",
    [[local over = waited() >= settle]], [[local over = waited() >= 0]] } } },
  { "unseen_file", "a 404 to the delete counts although the file was never seen (drop-404)", { { "batchapi.job.batch.fence",
    [[  return persist.run(job, attempt, function(err, asked)]],
    [[  return persist.run(job, function()
      local answer, why, err = attempt()
      return answer or err.status == 404, why, err
    end, function(err, asked)]] } } },
  { "fenced_keeps_file", "after the fence the same file is used again", {
    { "batchapi.job.batch.fence", [[job:record{ type = "fenced", part = part.part, file_id = part.file_id }]],
      [[job:record{ type = "uncreated", part = part.part, why = "not found" }]] },
    { "batchapi.job.batch.fence", [[return ok and "fenced" or nil, why, err]],
      [[return ok and "absent" or nil, why, err]] } } },
  { "list_cut_short", "an empty page is taken for the end of a list (drop-truncated)", { { "batchapi.client.pages",
    [[if more == false or more == nil and #items == 0 and not by_cursor then]],
    [[if more == false or #items == 0 then]] } } },
  { "no_sync_before_create", "the intent of a create is not on the disk before it is sent", { { "batchapi.job.store.journal",
    [[elseif lazy then]], [[elseif lazy or record.type == "create" then]] } } },
  { "no_sync_before_call", "the intent of a call that writes is not on the disk before it is sent", {
    { "batchapi.job.store.journal", [[elseif lazy then]], [[elseif lazy or record.type == "call" then]] } } },
  { "unknown_call_again", "a call that nobody knows the outcome of is repeated though it writes", {
    { "batchapi.job.call.failed", [[elseif not call.safe then]], [[elseif not call.items[1] then]] } } },
  { "unknown_call_forgotten", "a process that comes to an open call sends it again", { { "batchapi.job.call",
    [[  local call = { number = open.call, items = {}, batch_id = open.batch_id, resumed = true }]],
    [[  local call = { number = open.call, items = {}, batch_id = open.batch_id, resumed = true }
  if not open.batch_id then
    for _, index in ipairs(open.requests) do
      job.ledger:set(index, 0)
    end
    job.pass.exhausted = false
    return true
  end]] } } },

  -- what was paid for is kept
  { "names_not_awaited", "a batch that has ended is collected before it names where its answers are", {
    { "batchapi.watch.states", [[lacks = lacks or nil }]], [[lacks = lacks and nil }]] } } },
  { "first_404_is_final", "one 404 to a poll is believed", { { "batchapi.watch.polling",
    [[if not self.refused:heard(asked) then]], [[if false then]] } } },
  { "cleanup_at_once", "cleanup deletes the answers before they are durable here", { { "batchapi.job.batch",
    [[function steps.ended(job, part)]],
    [[function steps.ended(job, part)
  if job.options.cleanup and job.run.delete and collect.download(job, part) then
    clean(job, part)
  end]] } } },
  { "cleanup_all", "cleanup deletes answers that could not be read", { { "batchapi.job.batch",
    [[and not part.cleaned and not part.incomplete]], [[and not part.cleaned]] } } },
  { "settled_before_results", "a part is recorded as settled before its results are on the disk", {
    { "batchapi.job.batch.collect", [[ok, why, err = job.store:sync()]], [[ok, why, err = true, nil, nil]] } } },
  { "broken_line_dropped", "a line that cannot be read is thrown away", { { "batchapi.job.batch.claim",
    [[function settling:give_unreadable(line, why)]],
    [[function settling:give_unreadable(line, why)
  if line then
    return true
  end]] } } },
  { "strangers_dropped", "a line that belongs to nobody is thrown away", { { "batchapi.job.batch.claim",
    [[    self.strangers = self.strangers + 1
    return self.unclaimed:add(line)]],
    [[    self.strangers = self.strangers + 1
    return true]] } } },
  { "both_lines_count", "of two lines for a request both make a result", { { "batchapi.job.batch.claim",
    [[elseif mark ~= self.mine or self:is_elsewhere(index) then]], [[elseif not mark then]] } } },
  { "first_reason_for_all", "every request of a refused batch gets the first reason", { { "batchapi.job.batch.collect",
    [[if reason.line == line_number then]], [[if reason.line then]] } } },
  { "order_of_arrival", "an ordered job hands out results as they came", { { "batchapi.job.output.results",
    [[_ordered = (job.options.ordered or job.store.reopened) and]], [[_ordered = not job.options and]] } } },
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


--- The modules that a mutant changes, changed.
---@param name string
---@return table<string, function> by the module's name
function M.chunks(name)
  local edits = {}
  for _, mutant in ipairs(M.list) do
    for _, edit in ipairs(mutant[1] == name and mutant[3] or {}) do
      edits[edit[1]] = edits[edit[1]] or {}
      table.insert(edits[edit[1]], edit)
    end
  end
  assert(next(edits), "no mutant is called " .. tostring(name))
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
