--- How the results of a job's requests came out, counted as they come.

local M = {}

local MOST_CODES = 1000 -- that are told apart


---@return table counts { ok, failed, missing, codes }
function M.new()
  return { ok = 0, failed = 0, missing = 0, codes = {}, kinds = 0 }
end


local function add(counts, result, one)
  if result.ok then
    counts.ok = counts.ok + one
    return
  end
  local reason = type(result.error) == "table" and result.error or {}
  local code = type(reason.code) == "string" and reason.code or "failed"
  counts.failed = counts.failed + one
  counts.missing = counts.missing + (code == "missing" and one or 0)
  local entry = counts.codes[code]
  if not entry then
    code = counts.kinds < MOST_CODES and code or "other"
    entry = counts.codes[code] or { code = code, message = reason.message, count = 0 }
    counts.kinds = counts.kinds + (counts.codes[code] and 0 or 1)
    counts.codes[code] = entry
  end
  entry.count = entry.count + one
end


--- Counts a result.
---@param counts table
---@param result table
function M.add(counts, result)
  add(counts, result, 1)
end


--- Takes back one that a newer one stands for.
---@param counts table
---@param result table { ok, error = { code } }
function M.remove(counts, result)
  add(counts, result, -1)
end


--- The errors, the most common first.
---@param counts table
---@return table[] { code, message, count }
function M.errors(counts)
  local list = {}
  for _, entry in pairs(counts.codes) do
    if entry.count > 0 then
      list[#list + 1] = { code = entry.code, message = entry.message, count = entry.count }
    end
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then
      return a.count > b.count
    end
    return a.code < b.code
  end)
  return list
end


return M
