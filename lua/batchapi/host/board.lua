--- Who waits for what: the mailbox of this Lua state, and the waiters whose calls it names.
---
--- Whoever has the mailbox's reports at hand pumps; a waiter whose call was named is woken.

local core = require("batchapi.core")

local M = {}

local forks = core.forks
local drain_at_once = 256 -- what mailbox:drain() takes at a time

local mailbox, owner
local ids = {}

-- Who waits, by id; several may wait for one thing: they are a chain (`next`). Ids are never used
-- twice, and a Lua table whose keys come and go is rehashed as often as at every new one; so there
-- is an array that `id % places` is the place in, and a table for those whose place was taken.
-- Weak: waiters are kept alive by their coroutines.
local places = 1024
local weak = { __mode = "v" }
local placed, others
local turns = 0 -- how often reports were taken

local function forget_all()
  placed, others = setmetatable({}, weak), setmetatable({}, weak)
  for i = 1, places do
    placed[i] = false
  end
end

forget_all()


--- The waiter is to be woken when the thing with that id has news.
---@param id integer
---@param waiter table
function M.enlist(id, waiter)
  local place, other = id % places + 1, others[id]
  local there = placed[place]
  waiter.id = id
  if other or (there and there.id ~= id) then
    waiter.next = other
    others[id] = waiter
  else
    if there then
      waiter.next = there
    end
    placed[place] = waiter
  end
end


local function find(id)
  local waiter = placed[id % places + 1]
  if waiter and waiter.id == id then
    return waiter
  end
  return others[id]
end


-- Takes a waiter out of a chain that it is not the first of, or out of `others`.
local function unchain(id, waiter, following)
  local before = find(id)
  if before == waiter then
    others[id] = following
    return
  end
  while before and before.next ~= waiter do
    before = before.next
  end
  if before then
    before.next = following
  end
end


--- The waiter is not to be woken any more.
---@param id integer
---@param waiter table
function M.strike(id, waiter)
  local place, following = id % places + 1, waiter.next
  if placed[place] == waiter then
    placed[place] = following or false
  else
    unchain(id, waiter, following)
  end
  if following then
    waiter.next = nil
  end
end


--- This state's mailbox. A child of fork gets its own: the parent's calls are not its.
---@return batchapi.core.Mailbox|nil, string|nil, table|nil
function M.mailbox()
  local process = forks()
  if process ~= owner then
    local made, why, err = core.mailbox()
    if not made then
      return nil, why, err
    end
    mailbox, owner = made, process
    forget_all()
  end
  return mailbox
end


--- Wakes those who wait for the thing with that id.
---@param id integer
function M.wake(id)
  local waiter = find(id)
  while waiter do
    waiter:wake()
    waiter = waiter.next
  end
end

local wake = M.wake


--- Takes the reports that wait and wakes the waiters they are for.
function M.pump()
  local count
  turns = turns + 1
  repeat
    count = mailbox:drain(ids)
    for i = 1, count do
      wake(ids[i])
    end
  until count < drain_at_once
end


--- A number that is another one after reports were taken.
---@return integer
function M.turn()
  return turns
end


return M
