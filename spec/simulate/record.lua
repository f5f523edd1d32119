--- What really happened in a simulated world, whatever the job came to believe.
---
--- Of each request: which answers the service made for it (each with a mark of its own), which
--- of them can be had, and what else its result may say.

local M = {}
M.__index = M


function M.new()
  return setmetatable({
    answers = {},     -- by request id: list of { mark, ok, status, retryable, batch, line, readable, at }
    allowed = {},     -- by request id: set of codes that a result without an answer may have
    sent = {},        -- by request id: how often its work was accepted by the service
    batches = {},     -- all, in the order in which they were accepted
    uploads = {},     -- by content: how often it came
    deletes = {},     -- { file, at }
    violations = {},
    marks = 0,
    unclaimed = {},   -- lines that no request can be found for
  }, M)
end


function M:violate(what, ...)
  self.violations[#self.violations + 1] = what:format(...)
end


--- A mark that no other answer has.
function M:mark()
  self.marks = self.marks + 1
  return ("m%d"):format(self.marks)
end


function M:answer(id, answer)
  local list = self.answers[id] or {}
  self.answers[id] = list
  list[#list + 1] = answer
  return answer
end


--- The result of a request may say this, though nothing was answered.
function M:allow(id, code)
  self.allowed[id] = self.allowed[id] or {}
  self.allowed[id][code] = true
end


return M
