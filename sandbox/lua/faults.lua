local M = {}
function M.choose() end
return M
