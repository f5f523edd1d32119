--- Requests that depend on one another travel in one call: the service knows the ids of that call
--- only. The definition's word is `request.depends`.
---
--- Requests keep their order, so a group is a run of neighbours: from the first that another depends
--- on to the last that does. What depends on a request that is done already goes without saying so.

local among = require("batchapi.util.among")
local paths = require("batchapi.util.path")
local template = require("batchapi.definition.template")
local marks = require("batchapi.job.store.marks")

local M = {}


--- The ids of the requests that this one depends on.
---@param run table the definition's run section
---@param request any
---@return string[]|nil
function M.needs(run, request)
  local depends = (run.request or {}).depends
  local ids = depends and type(request) == "table" and paths.get(request, depends.field)
  return type(ids) == "table" and #ids > 0 and ids or nil
end


--- Where the last requests stand that were read, by index and by id: what a request depends on is
--- among them.
---@param most integer how many
---@return table window { ids, places, most }
function M.window(most)
  return { ids = {}, places = {}, most = most }
end


--- Adds the next request to a window.
---@param window table
---@param index integer
---@param id string
function M.remember(window, index, id)
  local ids, old = window.ids, index - window.most
  ids[index], window.places[id] = id, index
  if ids[old] then
    window.places[ids[old]], ids[old] = nil, nil
  end
end


--- The numbers of the requests that one depends on, by id.
---@param window table|nil
---@param needs string[]|nil
---@return table<string, integer>|nil
function M.places(window, needs)
  local places = needs and {}
  for _, id in ipairs(needs or {}) do
    places[id] = window.places[id]
  end
  return places
end


-- ---- while requests are written -----------------------------------------------------------------

local Checker = {}
Checker.__index = Checker


--- Checks requests, one after the other, for groups that no call can carry.
---@param job table
---@param most integer requests of a call
---@param most_bytes integer|nil of a call
function M.checker(job, most, most_bytes)
  local depends = (job.run.request or {}).depends
  return setmetatable({
    job = job, field = depends and depends.field, most = most, most_bytes = most_bytes, window = M.window(most),
    groups = {}, -- the last ones: { first =, bytes = }; each ends where the next begins
  }, Checker)
end


--- The first of the requests that a request stands in a group with, or nil and what is wrong.
local function first_needed(self, index, needs)
  local first = index
  for _, id in ipairs(needs) do
    local place = self.window.places[id]
    if not place then
      place = self.job:find(id)
      if not place or place >= index then
        return nil, ("'%s' names %q, which is no request before this one"):format(self.field, id)
      end
    elseif place == index then
      return nil, ("'%s' names the request itself"):format(self.field)
    end
    first = math.min(first, place)
  end
  return first
end


--- Takes the next request. Nil and what is wrong when it cannot be sent with what it depends on.
---@param index integer
---@param id string
---@param request any
---@param length integer of its line
---@return true|nil ok
---@return string|nil message
function Checker:add(index, id, request, length)
  if not self.field then
    return true
  end
  M.remember(self.window, index, id)
  if #self.groups > self.most then
    table.remove(self.groups, 1)
  end
  local first, why = first_needed(self, index, M.needs(self.job.run, request) or {})
  if not first then
    return nil, why
  end
  local groups, group, last = self.groups, { first = index, bytes = length + 1 }, index - 1
  local needed = first
  while #groups > 0 and last >= needed do
    local before = table.remove(groups)
    group.first, group.bytes, last = before.first, group.bytes + before.bytes, before.first - 1
  end
  groups[#groups + 1] = group
  local count = index - math.min(group.first, needed) + 1
  if count > self.most then
    return nil, ("it depends on request %d, and must travel in one call with it and all between: %d requests, a call "
      .. "may have %d; put what depends on one another side by side"):format(needed, count, self.most)
  elseif count > 1 and self.most_bytes and group.bytes > self.most_bytes then
    return nil, ("it must travel in one call with requests %d to %d, on which it depends: %d bytes, a call may have %d")
      :format(group.first, index - 1, group.bytes, self.most_bytes)
  end
  return true
end


-- ---- while calls are formed ---------------------------------------------------------------------

--- How many requests must be known before a call's end can be found.
---@param run table
---@param most integer requests of a call
---@return integer
function M.ahead(run, most)
  return (run.request or {}).depends and 2 * most - 1 or most
end


--- How many of these requests make the next call.
---@param items table[] { bytes, custom_id, needs }, as many as M.ahead() says or all there are
---@param most integer
---@param most_bytes integer|nil
---@return integer
function M.cut(items, most, most_bytes)
  local count, bytes, places = 0, 0, {}
  while items[count + 1] and count < most
    and (count == 0 or bytes + items[count + 1].bytes <= (most_bytes or math.huge)) do
    count = count + 1
    bytes = bytes + items[count].bytes
  end
  for i, item in ipairs(items) do
    if item.custom_id then -- nothing depends on one without
      places[item.custom_id] = i
    end
  end
  local needed = #items + 1 -- the first request that one from `i` on depends on
  for i = #items + 1, 2, -1 do
    for _, id in ipairs(items[i] and items[i].needs or {}) do
      needed = math.min(needed, places[id] or needed)
    end
    if i <= count + 1 and needed >= i then
      return i - 1
    end
  end
  return count
end


--- What became of the requests that this one depends on, those of the call it is to go in left out:
--- "done", all have succeeded; "waits", some are to be repeated, and none has failed for good; or
--- "failed", and the id of the first that did, or of which nothing is known.
---@param job table
---@param item table
---@param present table<string, any> ids of the call's requests
---@return "done"|"waits"|"failed" standing
---@return string|nil id
function M.standing(job, item, present)
  local standing, next_mark = "done", marks.waiting(job.pass.attempt + 1)
  for _, id in ipairs(item.needs or {}) do
    local index = not present[id] and item.places[id]
    local state = index and job.ledger:state(index)
    if state == next_mark then
      standing = "waits"
    elseif not present[id] and state ~= marks.SETTLED then
      return "failed", id
    end
  end
  return standing
end


--- A request as it goes out in this call: without what it depended on and what has succeeded. An id
--- of anything else stays: the service then refuses the call.
---@param job table
---@param item table
---@param present table<string, any> ids of the call's requests
---@return any
function M.sent(job, item, present)
  if not item.needs then
    return item.request
  end
  local left = setmetatable({}, getmetatable(item.needs))
  for _, id in ipairs(item.needs) do
    local place = item.places[id]
    local done = not present[id] and place and job.ledger:state(place) == marks.SETTLED
    left[#left + 1] = not done and id or nil
  end
  if #left == #item.needs then
    return item.request
  end
  return template.put(item.request, job.run.request.depends.field, #left > 0 and left or nil)
end


-- ---- when calls are answered --------------------------------------------------------------------

--- Is a request among these that this one depends on?
---@param item table
---@param ids table<string, any>|nil
---@return boolean
function M.depends_on(item, ids)
  for _, id in ipairs(ids and item.needs or {}) do
    if ids[id] then
      return true
    end
  end
  return false
end


--- Does this answer say that a request was not carried out because one it depends on failed?
---@param run table
---@param result table
---@return boolean
function M.held_back(run, result)
  return not result.ok and among(result.status, run.request.depends.failed)
end


--- The items of a call that must not be repeated when nobody knows whether it was carried out: those
--- that write, and what was to come after them, and only then; and the others.
---@return table[] harmed
---@return table[] rest
function M.harmed(call)
  local harmed, rest, ids = {}, {}, {}
  for _, item in ipairs(call.items) do
    local is = not item.safe or M.depends_on(item, ids)
    ids[item.custom_id] = is or nil
    local into = is and harmed or rest
    into[#into + 1] = item
  end
  return harmed, rest
end


return M
