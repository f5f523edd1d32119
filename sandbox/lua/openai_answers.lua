-- The models: every answer is computed from the request alone, so that a test knows what each result must be.
-- README.md, "Answers", has the rules.
local body = require("body")
local clock = require("clock")
local fail = require("openai_error")
local ffi = require("ffi")
local json = require("json")
local magic = require("magic")
local settings = require("settings")

local M = {}
local quote, format = require("cjson").encode, string.format


-- One token is four bytes of text, rounded up.
local function tokens(text)
  return math.ceil(#text / 4)
end

M.tokens = tokens


local function text_of(content)
  if type(content) == "string" then
    return content
  end
  local texts = {}
  for _, part in ipairs(type(content) == "table" and content or {}) do
    texts[#texts + 1] = type(part) == "table" and type(part.text) == "string" and part.text or nil
  end
  return table.concat(texts)
end


-- All text of a conversation, and the last user message's.
local function conversation(messages)
  local all, last = {}, ""
  for i, message in ipairs(messages) do
    local text = type(message) == "table" and text_of(message.content) or ""
    all[i] = text
    if type(message) == "table" and message.role == "user" then
      last = text
    end
  end
  return table.concat(all), last
end


local function sized(text, wish)
  local size = wish.size
  return size and (text .. string.rep(" .", math.ceil(size / 2))):sub(1, size) or text
end


-- The answer's text to a conversation, and its usage { input, output }.
function M.echo(messages, wish)
  local all, last = conversation(messages)
  local text = sized("echo: " .. last, wish)
  return text, { tokens(all), tokens(text) }
end


local function missing(param)
  return nil, fail(400, "Missing required parameter: '" .. param .. "'.", "missing_required_parameter", param)
end


-- The shapes of the answers, filled in by string.format because a batch has many of them.
local CHAT = '{"id":"chatcmpl-%s","object":"chat.completion","created":%d,"model":%s,"choices":[{"index":0,"message":'
  .. '{"role":"assistant","content":%s,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],'
  .. '"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":'
  .. '{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"service_tier":"default",'
  .. '"system_fingerprint":"fp_sandbox"}'

local COMPLETION = '{"id":"cmpl-%s","object":"text_completion","created":%d,"model":%s,"choices":[{"index":0,'
  .. '"text":%s,"logprobs":null,"finish_reason":"stop"}],'
  .. '"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}'

local RESPONSE = '{"id":"resp_%s","object":"response","created_at":%d,"status":"completed","error":null,"model":%s,'
  .. '"output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":'
  .. '[{"type":"output_text","text":%s,"annotations":[]}]}],"usage":{"input_tokens":%d,"input_tokens_details":'
  .. '{"cached_tokens":0},"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}}'


local function filled(shape, id, request, text, usage)
  return format(shape, id, clock.now(), quote(request.model), quote(text), usage[1], usage[2], usage[1] + usage[2]),
    usage
end


local function chat(request, id, wish)
  if type(request.messages) ~= "table" or #request.messages == 0 then
    return missing("messages")
  end
  return filled(CHAT, id, request, M.echo(request.messages, wish))
end


local function completion(request, id, wish)
  if type(request.prompt) ~= "string" then
    return missing("prompt")
  end
  local text = sized("echo: " .. request.prompt, wish)
  return filled(COMPLETION, id, request, text, { tokens(request.prompt), tokens(text) })
end


local function response(request, id, wish)
  local input = request.input
  if input == nil or input == json.null then
    return missing("input")
  elseif type(input) == "string" then
    input = { { role = "user", content = input } }
  end
  return filled(RESPONSE, id, request, M.echo(input, wish))
end


local function moderation(request, id)
  local inputs = type(request.input) == "table" and request.input or { request.input }
  if #inputs == 0 then
    return missing("input")
  end
  local results = {}
  for i, input in ipairs(inputs) do
    local flagged = tostring(text_of(input)):find("violence", 1, true) ~= nil
    results[i] = format('{"flagged":%s,"categories":{"violence":%s},"category_scores":{"violence":%s}}',
      tostring(flagged),
      tostring(flagged), flagged and "0.99" or "0.01")
  end
  return format('{"id":"modr-%s","model":%s,"results":[%s]}', id, quote(request.model), table.concat(results, ",")),
    { 0, 0 }
end


-- Component i of an input's vector: crc32(input .. "#" .. i) scaled to -1 ... 1 in millionths.
local function vector(text, dimensions, base64)
  local numbers = base64 and ffi.new("float[?]", dimensions) or {}
  for i = 1, dimensions do
    local value = ngx.crc32_long(text .. "#" .. i) % 2000001 / 1000000 - 1
    if base64 then
      numbers[i - 1] = value
    else
      numbers[i] = format("%.6f", value)
    end
  end
  if base64 then
    return '"' .. ngx.encode_base64(ffi.string(numbers, dimensions * 4)) .. '"'
  end
  return "[" .. table.concat(numbers, ",") .. "]"
end


local function embeddings(request)
  local inputs = request.input
  if inputs == nil or inputs == json.null or inputs == "" or type(inputs) == "table" and #inputs == 0 then
    return missing("input")
  end
  if type(inputs) ~= "table" or type(inputs[1]) == "number" then
    inputs = { inputs }
  end
  local dimensions = json.given(request.dimensions) or settings.get().embedding_dimensions
  local data, used = {}, 0
  for i, input in ipairs(inputs) do
    local text = type(input) == "table" and json.encode(input) or tostring(input)
    used = used + tokens(text)
    data[i] = format('{"object":"embedding","index":%d,"embedding":%s}', i - 1,
      vector(text, dimensions, request.encoding_format == "base64"))
  end
  return format('{"object":"list","data":[%s],"model":%s,"usage":{"prompt_tokens":%d,"total_tokens":%d}}',
    table.concat(data, ","), quote(request.model), used, used), { used, 0 }
end


local models = {
  ["/v1/chat/completions"] = chat,
  ["/v1/completions"] = completion,
  ["/v1/responses"] = response,
  ["/v1/moderations"] = moderation,
  ["/v1/embeddings"] = embeddings,
}

M.endpoints = models


-- What the endpoint answers to a request: status, body (JSON text), usage { input, output } or nil.
-- `key` tells one request from another where a magic word counts attempts; `name` (default: key) makes the answer's id.
function M.reply(endpoint, request, key, name)
  local refusal
  if type(json.given(request.model)) ~= "string" then
    refusal = fail(400, "you must provide a model parameter")
  end
  local wish = magic.of(request)
  local failure = not refusal and magic.failure(wish, key)
  if failure then
    refusal = fail(failure.status, failure.message, failure.code, nil, failure.kind)
  end
  local text, usage
  if not refusal then
    text, usage = models[endpoint](request, ngx.md5(name or key):sub(1, 24), wish)
    refusal = not text and usage
  end
  if refusal then
    return refusal.status, json.encode(refusal.json)
  end
  return 200, text, usage
end


-- Handler of a direct call to an endpoint.
function M.direct(endpoint)
  return function(request)
    request.body = body.read()
    local text = body.text(request.body)
    local wish, why = json.decode(text)
    if type(wish) ~= "table" then
      return fail(400, "We could not parse the JSON body of your request. " .. tostring(why))
    end
    local delay = settings.get().answer_delay
    if delay > 0 then
      ngx.sleep(delay)
    end
    local status, answer = M.reply(endpoint, wish, text)
    return { status = status, body = answer, headers = {
      ["Content-Type"] = "application/json",
      ["x-ratelimit-limit-requests"] = "10000", ["x-ratelimit-remaining-requests"] = "9999",
      ["x-ratelimit-reset-requests"] = "6ms", ["x-ratelimit-limit-tokens"] = "1000000",
      ["x-ratelimit-remaining-tokens"] = "999900", ["x-ratelimit-reset-tokens"] = "6ms",
    } }
  end
end


function M.models(_)
  return { status = 200, json = { object = "list", data = { { id = "gpt-4o-mini", object = "model",
    created = 1721172741,
    owned_by = "system" } } } }
end


return M
