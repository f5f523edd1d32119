--- Finds the code and the message in an error answer, whatever shape the service (or a proxy before
--- it) gives it.

local errors = require("batchapi.util.errors")
local path = require("batchapi.util.path")

local M = {}

local message_limit = 400


local function text(value)
  if type(value) == "string" and value:find("%S") then
    return value
  elseif type(value) == "number" then
    return tostring(value)
  end
end


--- One entry of a list of errors: Asana's message (and phrase), JSON:API's title and detail.
local function entry_message(entry)
  if type(entry) ~= "table" then
    return text(entry)
  end
  local message = text(entry.message) or text(entry.detail) or text(entry.title) or text(entry.msg)
  local title, detail = text(entry.title), text(entry.detail)
  if title and detail and not text(entry.message) then
    message = title .. ": " .. detail
  end
  local source = type(entry.source) == "table" and (text(entry.source.pointer)
    or text(entry.source.parameter))
  if message and source then
    message = message .. " (" .. source .. ")"
  end
  if message and text(entry.phrase) then
    message = message .. " (phrase for support: " .. entry.phrase .. ")"
  end
  return message
end


local function list_message(list)
  local messages = {}
  for _, entry in ipairs(list) do
    messages[#messages + 1] = entry_message(entry)
    if #messages == 3 and #list > 3 then
      messages[#messages + 1] = ("and %d more"):format(#list - 3)
      break
    end
  end
  return #messages > 0 and table.concat(messages, "; ") or nil
end


--- Each shape: a function(body) giving code and message, or nothing.
local shapes = {
  function(body) -- OAuth: { error = "invalid_grant", error_description = … }; also a plain string
    if type(body.error) == "string" then
      return text(body.error_description) and body.error or text(body.code) or nil,
        text(body.error_description) or text(body.message) or body.error
    end
  end,
  function(body) -- OpenAI, Azure, Anthropic, Microsoft Graph: { error = { message, type, code } }
    local inner = body.error
    if type(inner) == "table" then
      return text(inner.code) or text(inner.type) or text(inner.status), text(inner.message)
        or list_message(inner)
    end
  end,
  function(body) -- Asana, JSON:API: { errors = { … } }
    if type(body.errors) == "table" then
      local first = body.errors[1]
      return type(first) == "table" and text(first.code) or nil, list_message(body.errors)
    end
  end,
  function(body) -- FastAPI: { detail = "…" } or a list of { loc, msg }
    if type(body.detail) == "table" then
      return nil, list_message(body.detail)
    end
  end,
  function(body) -- Falcon: { title, description }; RFC 9457: { title, detail }
    local title, detail = text(body.title), text(body.description) or text(body.detail)
    return text(body.code), title and detail and title .. ": " .. detail or title or detail
  end,
  function(body) -- { message, code } and the like
    return text(body.code), text(body.message) or text(body.error_message) or text(body.msg)
  end,
}


local function of_table(body, words)
  local code = text(path.first(body, words.code or {}))
  local message = text(path.first(body, words.message or {}))
  for _, shape in ipairs(shapes) do
    if code and message then
      break
    end
    local shape_code, shape_message = shape(body)
    code, message = code or shape_code, message or shape_message
  end
  return code, message
end


--- What an answer that is no JSON says: a page's title, or its first words.
local function of_text(body)
  if body:find("^%s*<") then
    local title = body:match("<[Tt][Ii][Tt][Ll][Ee][^>]*>(.-)</") or body:gsub("<[^>]*>", " ")
    return "not JSON but a page: " .. errors.one_line(title)
  end
  return errors.one_line(body)
end


--- The code and the message of an error answer.
---@param body any decoded, or its text
---@param words table the definition's `errors`
---@return string|nil code, string|nil message
function M.read(body, words)
  local code, message
  if type(body) == "table" then
    code, message = of_table(body, words)
  elseif type(body) == "string" and body:find("%S") then
    message = of_text(body)
  end
  return code, message and errors.cut(errors.one_line(message), message_limit)
end


return M
