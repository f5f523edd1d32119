--- How often each behaviour was met, and each pair of behaviours in one run.

local M = {}
M.__index = M


---@param names string[] all behaviours
function M.new(names)
  return setmetatable({ names = names, runs = 0, times = {}, in_runs = {}, pairs = {}, shapes = {} }, M)
end


function M:add(run)
  self.runs = self.runs + 1
  self.shapes[run.plan.shape] = (self.shapes[run.plan.shape] or 0) + 1
  local met, list = {}, {}
  for _, entry in ipairs(run.taken) do
    local name = entry[1]
    self.times[name] = (self.times[name] or 0) + 1
    if not met[name] then
      met[name] = true
      list[#list + 1] = name
    end
  end
  table.sort(list)
  for i, name in ipairs(list) do
    self.in_runs[name] = (self.in_runs[name] or 0) + 1
    local row = self.pairs[name] or {}
    self.pairs[name] = row
    for j = i + 1, #list do
      row[list[j]] = (row[list[j]] or 0) + 1
    end
  end
end


local function pair(self, a, b)
  if a > b then
    a, b = b, a
  end
  return self.pairs[a] and self.pairs[a][b] or 0
end


--- The table as lines: how often each behaviour happened, in how many runs, with how many others it met
--- at least once, and the one that it met least often.
function M:lines()
  local lines = { ("%-22s %9s %7s %6s  %s"):format("behaviour", "times", "runs", "pairs", "met least often") }
  local unmet = 0
  for _, name in ipairs(self.names) do
    local partners, least, rarest = 0, math.huge, nil
    for _, other in ipairs(self.names) do
      if other ~= name then
        local count = pair(self, name, other)
        partners = partners + (count > 0 and 1 or 0)
        unmet = unmet + (count == 0 and 1 or 0)
        if count < least then
          least, rarest = count, other
        end
      end
    end
    lines[#lines + 1] = ("%-22s %9d %7d %6d  %s (%d)"):format(name, self.times[name] or 0, self.in_runs[name] or 0,
      partners, rarest, least)
  end
  local all = #self.names * (#self.names - 1) / 2
  lines[#lines + 1] = ("%d behaviours; of %d pairs %d were met in one run"):format(#self.names, all, all - unmet / 2)
  local shapes = {}
  for shape, count in pairs(self.shapes) do
    shapes[#shapes + 1] = ("%s %d"):format(shape, count)
  end
  table.sort(shapes)
  lines[#lines + 1] = "runs by shape: " .. table.concat(shapes, ", ")
  return lines
end


return M
