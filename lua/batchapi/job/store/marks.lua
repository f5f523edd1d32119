--- The marks of requests in the ledger (core.ledger), each a number from 0 to 7: what a request waits for, or
--- that it is settled. Whoever reads or sets a mark names it from here.

local M = {
  OPEN = 0,      -- it waits for its first attempt
  SETTLED = 1,   -- it has its result
  REPEAT = 2,    -- it waits for an even attempt; REPEAT + 3: for a later odd one
  TAKEN = 3,     -- a call carries it
  RECOVERED = 4, -- settled by a process that died before its part was done
  FAILED = 6,    -- settled without success, where others depend on it: SETTLED then says that it succeeded
}


--- The mark of requests that wait for an attempt: one for even and one for odd attempts.
---@param attempt integer from 1
---@return integer mark
function M.waiting(attempt)
  return attempt == 1 and M.OPEN or M.REPEAT + attempt % 2 * 3
end


--- Says a mark that a request has its result?
---@param mark integer
---@return boolean
function M.is_settled(mark)
  return mark == M.SETTLED or mark == M.FAILED or mark == M.RECOVERED
end


--- How many requests wait for an attempt, whichever it is.
---@param ledger userdata core.ledger
---@return integer
function M.waiting_count(ledger)
  return ledger:tally(M.OPEN) + ledger:tally(M.waiting(2)) + ledger:tally(M.waiting(3))
end


return M
