--- The tasks of a scheduler whose time is over: the earliest first, of one moment the one that began
--- first, so that one run of a program goes as the other.

local NONE = {}


---@param tasks table<table, integer> to each its number
---@param now number
---@return table[]
return function(tasks, now)
  local list
  for task in pairs(tasks) do
    if task.deadline and task.deadline <= now then
      list = list or {}
      list[#list + 1] = task
    end
  end
  if list and #list > 1 then
    table.sort(list, function(a, b)
      return a.deadline < b.deadline or a.deadline == b.deadline and tasks[a] < tasks[b]
    end)
  end
  return list or NONE
end
