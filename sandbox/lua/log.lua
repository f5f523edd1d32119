local M = {}
function M.begin() end
function M.finish() end
return M
