--- The shortest schedule that still fails: of a failing run everything is left out that need not happen.

local M = {}

local MOST_RUNS = 400

-- The parts of a plan that may become simpler, and what they become.
local simpler = {
  { "count", 1 }, { "count", 2 }, { "per_batch", 100 }, { "per_batch", 1 }, { "attempts", 1 }, { "cleanup", false },
  { "ordered", false }, { "yields", false }, { "concurrency", 1 }, { "interval", 5 },
  { "slowest", 30 }, { "page_size", 100 },
}


--- What a violation is about, without its numbers.
function M.class(violation)
  return (violation:gsub("%d+", "#"):gsub("m#.*", ""):sub(1, 50))
end


local function fails(state, script, fixed)
  if state.runs >= MOST_RUNS then
    return nil
  end
  state.runs = state.runs + 1
  local run = state.run(state.seed, script, fixed)
  for _, violation in ipairs(run.violations) do
    if M.class(violation) == state.class then
      return run
    end
  end
end


local function without(list, from, to)
  local rest = {}
  for i, entry in ipairs(list) do
    if i < from or i > to then
      rest[#rest + 1] = entry
    end
  end
  return rest
end


local function shrink_events(state)
  local size = math.ceil(#state.script / 2)
  while size >= 1 and #state.script > 0 do
    local from, less = 1, false
    while from <= #state.script do
      local script = without(state.script, from, from + size - 1)
      local run = fails(state, script, state.fixed)
      if run then
        state.script, state.best, less = script, run, true
      else
        from = from + size
      end
    end
    if not less or size > #state.script then
      if size == 1 then
        return
      end
      size = math.floor(size / 2)
    end
  end
end


local function shrink_plan(state)
  for _, change in ipairs(simpler) do
    local fixed = { [change[1]] = change[2] }
    for name, value in pairs(state.fixed) do
      if fixed[name] == nil then
        fixed[name] = value
      end
    end
    local run = state.fixed[change[1]] == nil and fails(state, state.script, fixed)
    if run then
      state.fixed, state.best = fixed, run
    end
  end
end


--- Makes a failing run short.
---@param run fun(seed: integer, script: table, fixed: table): table
---@param failed table a run with violations
---@return table|nil best { run, script, fixed }; nil when it does not fail again
function M.shrink(run, failed)
  local state = { run = run, seed = failed.seed, class = M.class(failed.violations[1]), script = failed.taken, fixed = {},
    runs = 0 }
  state.best = fails(state, state.script, state.fixed)
  if not state.best then
    return nil
  end
  shrink_plan(state)
  shrink_events(state)
  shrink_plan(state)
  return { run = state.best, script = state.script, fixed = state.fixed }
end


return M
