--- The curl command as a witness that shares no code with the project.

local cjson = require("cjson")

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


--- One request. Options: headers (array of lines), body (text), json (table), form (array of curl's -F
--- words), args (further words of the command line). Gives `{ code = curl's exit code, status, headers,
--- body, json, version, connects, why }`.
function M.request(method, url, options)
  options = options or {}
  local base = os.tmpname()
  local words = { "curl -sS -m 30 -g -X", method, "-D", base .. ".head", "-o", base .. ".body", "-w",
    quoted("%{http_code} %{http_version} %{num_connects}") }
  for _, line in ipairs(options.headers or {}) do
    words[#words + 1] = "-H " .. quoted(line)
  end
  for _, part in ipairs(options.form or {}) do
    words[#words + 1] = "-F " .. quoted(part)
  end
  local body = options.json and cjson.encode(options.json) or options.body
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
  local answer = { status = tonumber(status), version = version, connects = tonumber(connects), code = tonumber(code),
    headers = headers_of(contents(base .. ".head")), body = contents(base .. ".body"), why = contents(base .. ".why") }
  local ok, value = pcall(cjson.decode, answer.body)
  answer.json = ok and type(value) == "table" and value or nil
  return answer
end


return M
