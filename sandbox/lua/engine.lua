-- What goes on between requests: records that are still on their way are moved along by the clock, and long work
-- (checking a request file, writing results) runs in timers that give way to requests.
local M = {}
local TICK = 0.05

local kinds = {}
local watched = {}
local working = {}
local work_count = 0


-- Registers a kind of record: advance(id) moves one along and says whether it is at its end; unfinished() iterates
-- over the ids that were on their way when a worker died.
function M.register(kind, advance, unfinished)
  kinds[kind] = { advance = advance, unfinished = unfinished }
  watched[kind] = watched[kind] or {}
end


function M.watch(kind, id)
  watched[kind][id] = true
end


local function tick()
  for kind, ids in pairs(watched) do
    local list = {}
    for id in pairs(ids) do
      list[#list + 1] = id
    end
    for _, id in ipairs(list) do
      local ok, done = xpcall(kinds[kind].advance, debug.traceback, id)
      if not ok then
        ngx.log(ngx.ERR, "moving ", kind, " ", id, " along: ", done)
      end
      if not ok or done then
        ids[id] = nil
      end
    end
  end
end


-- Runs `job` in a timer unless one with this key runs already.
function M.work(key, job)
  if working[key] then
    return
  end
  working[key] = true
  work_count = work_count + 1
  local function finish()
    working[key] = nil
    work_count = work_count - 1
  end
  local ok, why = ngx.timer.at(0, function(premature)
    local done, reason = true, nil
    if not premature then
      done, reason = xpcall(job, debug.traceback)
    end
    finish()
    if not done then
      ngx.log(ngx.ERR, key, ": ", reason)
    end
  end)
  if not ok then
    finish()
    ngx.log(ngx.ERR, key, ": ", why)
  end
end


-- Moves everything as far as the clock allows and waits for the work this needs, at most `limit` seconds.
function M.settle(limit)
  local deadline = ngx.now() + limit
  repeat
    tick()
    local busy = work_count > 0
    if busy then
      ngx.sleep(0.002)
    end
  until not busy or ngx.now() > deadline
end


function M.reset()
  for kind in pairs(watched) do
    watched[kind] = {}
  end
end


function M.start()
  require("services")
  if ngx.worker.count() == 1 then
    require("totals").start()
  end
  if ngx.worker.id() ~= 0 then
    return
  end
  for kind, rule in pairs(kinds) do
    for id in rule.unfinished() do
      watched[kind][id] = true
    end
  end
  assert(ngx.timer.every(TICK, function(premature)
    if not premature then
      tick()
    end
  end))
end


return M
