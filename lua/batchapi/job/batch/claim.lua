--- Whose is a line of a part's answers? What settling a part (job/batch/collect.lua) does with each.

local answer_lines = require("batchapi.job.answer.lines")
local state = require("batchapi.job.store.state")
local marks = require("batchapi.job.store.marks")

local settling = {}

-- What a batch comes to before all of it ran, and how a service's code for a request then reads.
local CUT_OFF = { expired = "expire", cancelled = "cancel" }

settling.CUT_OFF = CUT_OFF

local RECOVERED = marks.RECOVERED


--- The name of the file that the part's answers from a source are in.
function settling.answer_name(part, i)
  return ("part-%05d.answer-%d.jsonl"):format(part.part, i)
end


--- The request of this part with an id, or nil.
function settling:find(id)
  local index = id and self.job:find(id)
  if index and index >= self.part.first and index <= self.last then
    return index
  end
end


--- Does a request of this part wait in another one? One whose answers are asked for again may have requests that
--- are sent again meanwhile: these are the other part's.
function settling:is_elsewhere(index)
  local waiting = self.part.again and self.job.waiting_in[index]
  return waiting and waiting ~= self.part or false
end


--- The request of this part that an answer is for; nil when it belongs to none, false when it was
--- answered before; `settled` when a process that died has given it its result.
---@return integer|false|nil index
---@return string|nil id
---@return boolean|nil settled
function settling:match(line)
  local id = self.outcome:id(line)
  local index = self:find(id)
  if not index then
    return nil
  end
  self.known = self.known + 1
  local mark = self.ledger:state(index)
  if mark == RECOVERED then
    self.ledger:set(index, marks.SETTLED)
    return index, id, true
  elseif mark ~= self.mine or self:is_elsewhere(index) then
    self.duplicates = self.duplicates + 1
    return false
  end
  return index, id
end


--- Hands the lines of a file to methods of this: those that can be read and those that cannot.
function settling:each_line(i, read, unreadable)
  local job, files = self.job, self.job.files
  local reader, why, err = files:reader(settling.answer_name(self.part, i), {
    max_line_bytes = job.client._settings.max_line_bytes })
  if not reader then
    return nil, why, err
  end
  local ok = true
  while ok do
    local what, value, line, note, strict = answer_lines.next(files, reader)
    if what == "read" then
      ok, why, err = read(self, value, line, note, strict)
    elseif what == "unreadable" then
      ok, why, err = unreadable(self, line, note)
    elseif what == "too_long" then
      self.too_long = self.too_long or ("%s: resume with a client whose max_line_bytes is larger"):format(value)
    elseif what == "failed" then
      ok, why, err = nil, value, line
    else
      break
    end
    job:breathe()
  end
  files:close(reader)
  return ok, why, err
end


function settling:answer(value, line, repaired, strict)
  local index, id, settled = self:match(value)
  self.seen = self.seen + 1
  if index == nil then
    self.strangers = self.strangers + 1
    return self.unclaimed:add(line)
  elseif not index then
    return true
  end
  local result = self.outcome:read(value, nil, repaired)
  if not result.ok and result.status == nil and result.error.code:find(CUT_OFF[self.part.outcome] or "^$") then
    self.cut_off = self.cut_off + 1
    result.error.message = result.error.message .. "; " .. self:cut_off_note()
  end
  if not self.part.usage and type(result.body) == "table" then
    self.usage = state.add_usage(self.usage, result.body.usage)
  end
  if settled then
    return true
  end
  return self:take(index, id, result, line, strict)
end


--- What a batch that ended early came to: which, when, and what can be done.
function settling:cut_off_note()
  local part = self.part
  local note = ("the batch %s %s"):format(part.batch_id, part.outcome == "expired" and "expired" or "was cancelled")
  if part.ended_at then
    note = note .. os.date("!, seen at %Y-%m-%dT%H:%M:%SZ", math.floor(part.ended_at))
  end
  if part.outcome == "cancelled" then
    return note .. " (run the request again if it is still wanted)"
  elseif self.job.options.attempts == 1 then
    return note .. " (run the request again, or give attempts)"
  end
  return note
end


function settling:count_broken()
  self.broken, self.seen = self.broken + 1, self.seen + 1
  return true
end


--- A line that cannot be read is the answer of the request whose id stands in it, if no other line
--- is: the first that still waits.
function settling:give_unreadable(line, why)
  for id in self.outcome:ids_in(line) do
    local index = self:find(id)
    local mark = index and self.ledger:state(index)
    if mark == RECOVERED or mark == self.mine and not self:is_elsewhere(index) then
      self.known = self.known + 1
      self.unreadable = self.unreadable + 1
      if mark == RECOVERED then
        self.ledger:set(index, marks.SETTLED)
        return true
      end
      return self.job.store:append({
        index = index, custom_id = id, ok = false, error = { code = "unreadable", message = why } }, line)
    end
  end
  return self.unclaimed:add(line)
end


local function take_nothing()
  return true
end


--- All lines of the part's files: first those that can be read, for they say whose they are.
function settling:read_files()
  local ok, why, err = true, nil, nil
  for _, pass in ipairs{ { self.answer, self.count_broken }, { take_nothing, self.give_unreadable } } do
    for i in ipairs(self.job.run.collect) do
      if ok and self.part.sources[i] then
        ok, why, err = self:each_line(i, pass[1], pass[2])
      end
    end
    if not ok or self.broken == 0 then
      break
    end
  end
  return ok, why, err
end


return settling
