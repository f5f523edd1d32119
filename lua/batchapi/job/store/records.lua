--- The records of a journal: which there are, and what their fields may be. A record that is not so is
--- damage, however whole its line is.
---
--- A type ends in "?" where the field may be absent. "count" is a whole number from 0 to the most
--- requests a job can have; "number" any number; "id" what a service names its things with: text or a
--- whole number.

local M = {}

local MOST_REQUESTS = 2 ^ 28 -- as the ledger of the core has it
local MOST_PARTS = 2 ^ 24
local LARGEST = 2 ^ 53

local part_fields = {
  part = "part", attempt = "count", first = "count", span = "count", count = "count", bytes = "size",
  hash = "hash", digest = "hash?",
  most = "count?", -- the last attempt of its requests
  lost = "boolean?", -- its own record was damaged: nothing but its place is known
  file = "string?", -- written by earlier versions; the name is made of the part's number
}

M.fields = {
  job = { format = "count", version = "string", id = "string", at = "number", service = "string", origin = "string",
    options = "table", family = "string?", body = "string?" },
  part = part_fields,
  input = { requests = "count", hash = "hash?", options = "table?" },
  dropped = { part = "part" },
  uploaded = { part = "part", file_id = "id" },
  create = { part = "part", at = "number", date = "number?" },
  uncreated = { part = "part", why = "string?" },
  lost = { part = "part", boot = "string?", since = "number" },
  fencing = { part = "part", file_id = "id?" },
  deleted = { part = "part", boot = "string?", since = "number" },
  fenced = { part = "part", file_id = "id" },
  forgot = { part = "part", file_id = "id?" },
  created = { part = "part?", call = "count?", batch_id = "id", found = "boolean?" },
  doubled = { part = "part", batch_id = "id", requests = "count" },
  requeued = { part = "part", why = "string?" },
  ended = { part = "part", outcome = "string", sources = "table?", reasons = "table?", usage = "table?",
    at = "number?", uncollected = "string?" },
  settled = { part = "part", duplicates = "count?", strangers = "count?", broken = "count?", usage = "table?",
    retry = part_fields, unclaimed = "count?", unreadable = "count?", missing = "count?", uncollected = "count?" },
  reopened = { round = "count", parts = "indexes", calls = "indexes?" },
  -- Failed requests that are sent again: of calls their numbers, as pairs of the first and the last of a run.
  retried = { round = "count", attempts = "count", tries = "count", maybe_paid = "count?", parts = "parts?",
    requests = "indexes?" },
  cleaned = { part = "part" },
  call = { call = "count", requests = "indexes", at = "number" },
  answered = { call = "count", uncollected = "boolean?" },
  cancel = {},
  finished = {},
  -- What was damaged is known, and has had its consequences: how many lines of the journal and of the
  -- results, the numbers of parts, whether requests.jsonl.
  salvaged = { journal = "count", results = "count", parts = "table", last_part = "count", last_call = "count",
    requests = "boolean?" },
}


local function is_whole(value, least, most)
  return type(value) == "number" and value >= least and value <= most and value == math.floor(value)
end

local checks = {}


function checks.count(value)
  return is_whole(value, 0, MOST_REQUESTS)
end


function checks.part(value)
  return is_whole(value, 1, MOST_PARTS)
end


function checks.size(value)
  return is_whole(value, 0, LARGEST)
end


function checks.number(value)
  return type(value) == "number" and value - value == 0
end


function checks.hash(value)
  return type(value) == "string" and #value == 64 and not value:find("%X")
end


function checks.id(value)
  return type(value) == "string" or is_whole(value, -LARGEST, LARGEST)
end


function checks.indexes(value)
  if type(value) ~= "table" then
    return false
  end
  for _, index in ipairs(value) do
    if not is_whole(index, 1, MOST_REQUESTS) then
      return false
    end
  end
  return true
end

for _, name in ipairs{ "string", "table", "boolean" } do
  checks[name] = function(value)
    return type(value) == name
  end
end


-- Where a part's requests lie must be possible.
local function is_part(record)
  return record.first >= 1 and record.count >= 1 and record.attempt >= 1 and record.span >= record.count
    and record.first + record.span - 1 <= MOST_REQUESTS
end


-- What is wrong with the fields of a record, or nil.
local first_wrong


function checks.parts(value)
  if type(value) ~= "table" then
    return false
  end
  for _, part in ipairs(value) do
    if type(part) ~= "table" or first_wrong(part, part_fields) or not is_part(part) then
      return false
    end
  end
  return true
end


function first_wrong(record, fields)
  for name, wanted in pairs(fields) do
    local value = record[name]
    if type(wanted) == "table" then -- a record within
      local wrong = value ~= nil and (type(value) ~= "table" and name or first_wrong(value, wanted))
      if wrong then
        return wrong
      end
    elseif value == nil then
      if wanted:sub(-1) ~= "?" then
        return name
      end
    elseif not checks[wanted:match("%a+")](value) then
      return name
    end
  end
end


--- What is wrong with a record, in words, or nil.
---@param record table
---@return string|nil problem
function M.problem(record)
  local fields = type(record.type) == "string" and M.fields[record.type]
  if not fields then
    return ("a record of type '%s', which this version does not know"):format(tostring(record.type))
  end
  local wrong = first_wrong(record, fields)
  if not wrong and record.type == "created" and not (record.part or record.call) then
    wrong = "part"
  end
  if wrong then
    return ("a record of type '%s' whose field '%s' is not what it must be"):format(record.type, wrong)
  end
  local part = record.type == "part" and record or record.retry
  if part and not is_part(part) then
    return ("a record of type '%s' with a part that cannot be"):format(record.type)
  end
end


return M
