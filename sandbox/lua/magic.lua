-- Words in a request that ask the sandbox for something out of the ordinary. They stand in the request's
-- `metadata.sandbox` (several, separated by spaces) or are the model's name itself:
--   fail-STATUS, fail-STATUS-CODE   this request is refused so;  fail-...-times-N: only the first N times
--   never                           in a batch: the line never finishes, so that it expires
--   size-N                          the answer's text is N bytes long

local M = {}
local state = ngx.shared.state

local CODES = {
  [400] = { "invalid_value", "invalid_request_error" },
  [401] = { "invalid_api_key", "invalid_request_error" },
  [403] = { "unsupported_country_region_territory", "request_forbidden" },
  [404] = { "model_not_found", "invalid_request_error" },
  [429] = { "rate_limit_exceeded", "requests" },
  [500] = { "server_error", "server_error" },
  [503] = { "server_is_overloaded", "service_unavailable_error" },
}


-- Reads one word into wish.
local function read(word, wish)
  local rest = word:match("^fail%-(.+)$")
  if rest then
    local times = rest:match("%-times%-(%d+)$")
    rest = rest:gsub("%-times%-%d+$", "")
    local status, code = rest:match("^(%d%d%d)%-?(.*)$")
    if status then
      wish.status, wish.code, wish.times = tonumber(status), code ~= "" and code or nil, tonumber(times)
    end
  elseif word == "never" then
    wish.never = true
  elseif word:find("^size%-%d+$") then
    wish.size = tonumber(word:match("%d+"))
  end
end


local none = {}


-- The wishes of a request body.
function M.of(request)
  local metadata = request.metadata
  local words = type(metadata) == "table" and type(metadata.sandbox) == "string" and metadata.sandbox
  local model = type(request.model) == "string" and M.is_model(request.model) and request.model
  if not words and not model then
    return none
  end
  local wish = {}
  for word in ((words or "") .. " " .. (model or "")):gmatch("%S+") do
    read(word, wish)
  end
  return wish
end


function M.is_model(model)
  return model:find("^fail%-%d%d%d") or model == "never"
end


-- The failure that is asked for, if it is due. Counting is by key.
function M.failure(wish, key)
  if not wish.status then
    return nil
  end
  if wish.times then
    local seen = state:incr("magic:" .. ngx.md5(key), 1, 0)
    if seen > wish.times then
      return nil
    end
  end
  local known = CODES[wish.status] or { "sandbox_failure", "server_error" }
  return { status = wish.status, code = wish.code or known[1], kind = known[2],
    message = "The request asked to fail with status " .. wish.status .. "." }
end


return M
