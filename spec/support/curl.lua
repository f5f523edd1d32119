--- Requests that share no code with the project: plain ones through LuaSocket, because that is quick, and those
--- where the way they end matters through the curl command.

local cjson = require("cjson")
local http = require("socket.http")
local ltn12 = require("ltn12")

local M = {}


local function quoted(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

M.quoted = quoted


local function contents(path)
  local handle = io.open(path, "rb")
  local text = handle and handle:read("*a") or ""
  if handle then
    handle:close()
    os.remove(path)
  end
  return text
end


local function headers_of(text)
  local headers = {}
  for name, value in text:gmatch("([^\r\n:]+):%s*([^\r\n]*)") do
    headers[name:lower()] = value
  end
  return headers
end


local function decoded(answer)
  local ok, value = pcall(cjson.decode, answer.body)
  answer.json = ok and type(value) == "table" and value or nil
  return answer
end


local function plain(method, url, options, body)
  local headers, pieces = headers_of(table.concat(options.headers or {}, "\n")), {}
  if body then
    headers["content-length"], headers["content-type"] = #body, headers["content-type"] or "application/json"
  end
  local ok, status, answered = http.request { method = method, url = url, headers = headers, redirect = false,
    source = body and ltn12.source.string(body), sink = ltn12.sink.table(pieces) }
  return decoded { code = ok and 0 or 1, status = ok and status, headers = ok and answered or {},
    body = table.concat(pieces), why = ok and "" or tostring(status) }
end


--- One request. Options: headers (array of lines), body (text), json (table), form (array of curl's -F
--- words), args (further words of curl's command line; an empty table: curl, not LuaSocket). Gives
--- `{ code = curl's exit code, status, headers, body, json, version, connects, why }`.
function M.request(method, url, options)
  options = options or {}
  local body = options.json and cjson.encode(options.json) or options.body
  if not options.args and not options.form and url:find("^http:") then
    return plain(method, url, options, body)
  end
  local base = os.tmpname()
  local words = { "curl -sS -m 30 -g -X", method, "-D", base .. ".head", "-o", base .. ".body", "-w",
    quoted("%{http_code} %{http_version} %{num_connects}") }
  for _, line in ipairs(options.headers or {}) do
    words[#words + 1] = "-H " .. quoted(line)
  end
  for _, part in ipairs(options.form or {}) do
    words[#words + 1] = "-F " .. quoted(part)
  end
  if body then
    local handle = assert(io.open(base, "wb"))
    handle:write(body)
    handle:close()
    words[#words + 1] = "-H 'Content-Type: application/json' --data-binary @" .. base
  end
  for _, word in ipairs(options.args or {}) do
    words[#words + 1] = word
  end
  words[#words + 1] = quoted(url) .. " 2>" .. base .. ".why; echo \" $?\""
  local pipe = assert(io.popen(table.concat(words, " ")))
  local status, version, connects, code = pipe:read("*a"):match("^(%d+) (%S+) (%d+) (%d+)")
  pipe:close()
  os.remove(base)
  return decoded { status = tonumber(status), version = version, connects = tonumber(connects), code = tonumber(code),
    headers = headers_of(contents(base .. ".head")), body = contents(base .. ".body"), why = contents(base .. ".why") }
end


return M
