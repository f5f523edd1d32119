--- Origins: what a credential belongs to, and where a client's own headers go.

local M = {}


--- The origin of a URL: "https://host:port" in lower case, the default port left out.
---@param url string
---@return string
function M.of(url)
  local scheme, rest = url:lower():match("^(%a+)://([^/?#]+)")
  local default = scheme == "https" and ":443" or ":80"
  rest = rest or ""
  if rest:sub(-#default) == default then
    rest = rest:sub(1, -#default - 1)
  end
  return tostring(scheme) .. "://" .. rest
end


return M
