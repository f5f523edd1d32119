--- Drives the sandbox's OpenAI and its control interface, for the specs of the sandbox itself.

local curl = require("support.curl")

local M = {}

M.url = assert(os.getenv("BATCHAPI_SANDBOX_URL"), "run this spec under sandbox/run")
M.base = os.getenv("OPENAI_BASE_URL")
M.key = "Authorization: Bearer " .. os.getenv("OPENAI_API_KEY")


--- A request to the control interface that must succeed; gives its JSON.
function M.control(method, path, body)
  local answer = curl.request(method, M.url .. "/_control" .. path, { json = body })
  assert(answer.status == 200, path .. ": " .. tostring(answer.body) .. answer.why)
  return answer.json
end


--- A request to OpenAI's API; options as curl.request has them.
function M.call(method, path, options)
  options = options or {}
  options.headers = options.headers or {}
  table.insert(options.headers, M.key)
  return curl.request(method, M.base .. path, options)
end


--- One line of a request file.
function M.line(id, more)
  local body = '"model":"gpt-4o-mini","messages":[{"role":"user","content":"' .. id .. '"}]'
  return '{"custom_id":"' .. id .. '","method":"POST","url":"/v1/chat/completions","body":{' .. (more or body) .. "}}\n"
end


--- Uploads text as a file of requests; gives the file.
function M.upload(text)
  local form = "--xx\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--xx\r\n"
    .. "Content-Disposition: form-data; name=\"file\"; filename=\"requests.jsonl\"\r\n\r\n" .. text .. "\r\n--xx--\r\n"
  local answer = M.call("POST", "/files", { body = form,
    headers = { "Content-Type: multipart/form-data; boundary=xx" } })
  assert(answer.status == 200, answer.body)
  return answer.json
end


--- Creates a batch of a text's lines; gives the batch. `more` are further fields of the request.
function M.create(text, more)
  local wish = { input_file_id = M.upload(text).id, endpoint = "/v1/chat/completions", completion_window = "24h" }
  for name, value in pairs(more or {}) do
    wish[name] = value
  end
  local answer = M.call("POST", "/batches", { json = wish })
  assert(answer.status == 200, answer.body)
  return answer.json
end


--- Moves the clock on by seconds; what became due is done when this returns.
function M.advance(seconds)
  M.control("POST", "/clock", { advance = seconds })
end


function M.batch(id)
  return M.call("GET", "/batches/" .. id).json
end


--- The lines of a result file, as text.
function M.results(id)
  local lines = {}
  for line in M.call("GET", "/files/" .. id .. "/content").body:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  return lines
end


return M
