--- Codes of results that are a job's own words, not the service's.

local M = {}

--- Those that say that the service may have done the work: such a request may have been paid.
M.may_be_paid = { missing = true, unreadable = true, uncollected = true, gone = true, damaged = true,
  unknown_outcome = true }

return M
