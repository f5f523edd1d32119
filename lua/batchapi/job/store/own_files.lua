--- The files that a job makes in its directory: what may be removed with it, and nothing else.

local M = {}

local patterns = {
  "^journal%.jsonl$", "^journal%-1%.jsonl$", "^journal%-copy%.jsonl$", "^journal%-damaged%-%d+%.jsonl$",
  "^requests%.jsonl$", "^unclaimed%.jsonl$",
  "^results%.jsonl$", "^results%.jsonl%.part$", "^results%.jsonl%.ordered$", "^results%-damaged%-%d+%.jsonl$",
  "^part%-%d%d%d%d%d+%.jsonl?$", "^part%-%d%d%d%d%d+%.json$", "^part%-%d%d%d%d%d+%.unclaimed%.jsonl$",
  "^part%-%d%d%d%d%d+%.answer%-%d+%.jsonl$", "^part%-%d%d%d%d%d+%.answer%-%d+%.jsonl%.part$",
}


--- Is a name one that a job gives its files? The lock's is not among them: it goes last.
---@param name string
---@return boolean
function M.is_own(name)
  name = name:gsub("%.new$", "")
  for _, pattern in ipairs(patterns) do
    if name:find(pattern) then
      return true
    end
  end
  return false
end


--- Removes every file that a job has made, and its lock last.
---@param files batchapi.Files of the directory
function M.remove(files)
  files:drop("journal-copy.jsonl") -- before the journal: without it, it says that one was lost
  for _, name in ipairs(files:list() or {}) do
    if M.is_own(name) then
      files:drop(name)
    end
  end
  files:drop("lock")
end


return M
