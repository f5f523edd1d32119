-- One contender of bench/jobs in Lua:
--
--   lua5.4 bench/jobs_client.lua batchapi|plain build|iterate|stream FILE [BASE_URL CA_FILE]
--
-- It prints what it did as the last line, a JSON object: lines, sum (of what it read, to be compared) and loop (CPU
-- seconds of the loop alone, since building takes little longer than an interpreter's start).

local way, what, path, base_url, ca_file = arg[1], arg[2], arg[3], arg[4], arg[5]
local cjson = require("cjson")

local REQUESTS, POOL = 50000, 500


-- Requests of about 1 KB. They are made before the clock starts; so that memory stays small, 500 are used again and again,
-- each time with another custom_id.
local function requests()
  local pool = {}
  local text = ("Summarise the following message of a customer in one sentence, keep \"names\" and numbers.\n"
    .. "The parcel left Utrecht on the 14th; it should reach Zürich within two working days, and has not. "):rep(4)
  for i = 1, POOL do
    pool[i] = {
      custom_id = "",
      method = "POST",
      url = "/v1/chat/completions",
      body = {
        model = "gpt-4o-mini",
        temperature = 0.2,
        max_tokens = 256,
        messages = {
          { role = "system", content = "You answer for the service desk." },
          { role = "user", content = text .. i },
        },
        metadata = { customer = "c" .. i, run = "nightly" },
        response_format = { type = "json_object" },
      },
    }
  end
  return pool
end


-- ---- building ------------------------------------------------------------------------------------


local build = {}


function build.plain(pool)
  local file, encode = assert(io.open(path, "wb")), cjson.encode
  for i = 1, REQUESTS do
    local request = pool[i % POOL + 1]
    request.custom_id = "request-" .. i
    assert(file:write(encode(request), "\n"))
  end
  assert(file:close())
end


function build.batchapi(pool)
  local writer = assert(require("batchapi.jsonl").write(path))
  for i = 1, REQUESTS do
    local request = pool[i % POOL + 1]
    request.custom_id = "request-" .. i
    assert(writer:encode(request))
  end
  assert(writer:close())
end


-- ---- reading -------------------------------------------------------------------------------------


local seen, sum = 0, 0


-- Checks a result against its request: they come in order, and each says how long its answer is.
local function take(result)
  seen = seen + 1
  local answer = result.response.body
  assert(result.custom_id == "request-" .. seen and answer.usage.completion_tokens == #answer.choices[1].message.content)
  sum = sum + answer.usage.completion_tokens
end


local iterate = {}


function iterate.plain()
  local decode = cjson.decode
  for line in io.lines(path) do
    take(decode(line))
  end
end


function iterate.batchapi()
  for result in assert(require("batchapi.jsonl").read(path)) do
    take(result)
  end
end


local stream = {}


-- libcurl's own command fetches the file, then it is read.
function stream.plain()
  assert(os.execute(("curl --silent --fail --http1.1 -H 'Authorization: Bearer sk-bench' --cacert %s "
    .. "%s/files/file-bench/content -o %s"):format(ca_file, base_url, path)))
  iterate.plain()
end


function stream.batchapi()
  local client = assert(require("batchapi").openai{ api_key = "sk-bench", base_url = base_url, ca_file = ca_file,
    http_version = "1.1" })
  for result in client:lines("download_file", "file-bench") do
    take(result)
  end
  client:close()
end


local pool = what == "build" and requests()
require("batchapi.jsonl") -- libraries are loaded before the clock starts, for all alike
local start = os.clock()
;({ build = build, iterate = iterate, stream = stream })[what][way](pool)
io.stderr:write(cjson.encode({ loop = os.clock() - start, lines = seen, sum = sum }), "\n")
