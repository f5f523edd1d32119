--- The words of a definition: which may stand where, and with what kind of value.
---
--- `M.sections` maps a section's name to its words; `M.check(value, section, place)` raises with
--- the word and the place where something does not fit. What a word means stands at the head of
--- init.lua.

local errors = require("batchapi.util.errors")
local suggest = require("batchapi.util.suggest")
local values = require("batchapi.check.values")

local M = {}


--- Raises: the definition is wrong at this place.
---@param place string
---@param message string
function M.refuse(place, message)
  place = place:gsub("^%.", "")
  errors.misuse("definition%s: %s", place == "" and "" or ", " .. place, message)
end


-- Kinds of values. Each is a function(value, place) that raises or returns nothing.

local function kind(name)
  return function(value, place)
    if type(value) ~= name then
      M.refuse(place, ("must be a %s, got a %s"):format(name, type(value)))
    end
  end
end

local text, flag, number, any_table = kind("string"), kind("boolean"), kind("number"), kind("table")


local function anything() end


local function one_of(known)
  return function(value, place)
    for _, word in ipairs(known) do
      if word == value then
        return
      end
    end
    M.refuse(place, ("must be one of %s, got '%s'%s"):format(table.concat(known, ", "),
      tostring(value), suggest.hint(tostring(value), known)))
  end
end


local function array_of(item)
  return function(value, place)
    any_table(value, place)
    for key in pairs(value) do
      if type(key) ~= "number" then
        M.refuse(place, ("must be an array, but has the key '%s'"):format(tostring(key)))
      end
    end
    for i, element in ipairs(value) do
      item(element, ("%s[%d]"):format(place, i))
    end
  end
end


local function map_of(item)
  return function(value, place)
    any_table(value, place)
    for key, element in pairs(value) do
      if type(key) ~= "string" then
        M.refuse(place, ("must have names for keys, got '%s'"):format(tostring(key)))
      end
      item(element, place .. "." .. key)
    end
  end
end


local function either(first, first_type, second)
  return function(value, place)
    return (type(value) == first_type and first or second)(value, place)
  end
end


local function section(name)
  return function(value, place)
    M.check(value, name, place)
  end
end

local texts, numbers = array_of(text), array_of(number)
local parameter = section("parameter")

-- A type's name alone, or a whole description.
local described = either(text, "string", parameter)

local function required(check)
  return { check = check, required = true }
end

--- The kinds of values, for sections that are added elsewhere (batchapi.job.definition).
M.kinds = {
  text = text, flag = flag, number = number, any_table = any_table, anything = anything,
  texts = texts, one_of = one_of, array_of = array_of, map_of = map_of, section = section,
  required = required,
}


M.sections = {
  definition = {
    name = required(text), title = text, documentation = text,
    extends = either(text, "string", any_table),
    base_url = required(text), environment = text, credentials = one_of{ "inherit" },
    auth = either(one_of{ "none" }, "string", array_of(section("way"))),
    options = array_of(section("option")),
    headers = map_of(text), query = map_of(text),
    errors = section("errors"), response = section("response"),
    limits = array_of(section("limit")), changes = section("changes"),
    operations = required(array_of(section("operation"))),
    wait = section("wait"), run = any_table,
  },
  way = {
    kind = required(one_of{ "bearer", "basic", "header", "oauth_client", "oauth_refresh" }),
    option = required(text), environment = text, user_option = text, user_environment = text,
    header = text, prefix = text, token_url = text, authorize_url = text, help = text,
  },
  option = {
    [1] = required(text), [2] = required(text),
    environment = text, header = text, query = text, default = anything, help = text,
    one_of = texts, pattern = text, pattern_help = text, min = number, max = number,
    min_length = number, max_length = number, items = described,
  },
  errors = {
    code = texts, message = texts, final = texts, auth = numbers,
  },
  response = {
    request_id = texts, limit = texts, remaining = texts, reset = texts,
  },
  limit = {
    name = required(text), in_flight = number, per_minute = number, per_minute_option = text,
  },
  changes = {
    header = required(text), name = required(text), silenced_by = texts,
  },
  operation = {
    name = required(text),
    method = required(one_of{ "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" }),
    path = required(text), summary = text, example = text,
    parameters = array_of(parameter), query = array_of(parameter), body = parameter,
    content = one_of{ "json", "multipart", "form", "bytes" }, nesting = one_of{ "bracket", "dot" },
    answer = one_of{ "json", "bytes", "jsonl" },
    headers = map_of(text), credential = flag, redirects = flag,
    repeats = one_of{ "safe", "idempotent", "never_sent" }, repeats_if = section("repeats_if"),
    idempotency_key = text, unaccepted = numbers, weights = array_of(section("weight")),
      page = section("page"),
    remove = flag,
  },
  repeats_if = {
    every = required(text), field = required(text), one_of = required(texts),
    repeats = required(one_of{ "safe", "idempotent" }),
  },
  weight = {
    limit = required(text), weight = number, count = text, field = text, one_of = texts,
    none_of = texts,
  },
  page = {
    items = required(text), query = required(text), more = text, size = text,
    from = required(one_of{ "last_item", "answer", "number", "offset", "link" }),
    field = text, last = text, first = number, total = text,
  },
  wait = {
    operation = required(text), status = required(text),
    done = required(texts), failed = texts, done_statuses = numbers,
    pending = section("pending"), reasons = section("reasons"),
    needs = array_of(section("need")), ended = text,
    interval = number, max_interval = number,
  },
  need = { any = required(texts), count = text },
  pending = { zero = required(text), positive = text },
  reasons = { list = text, code = text, message = required(text), line = text },
  parameter = {
    [1] = text, [2] = text, type = text,
    required = flag, nullable = flag, default = anything, always = anything, help = text,
    example = anything, known = texts,
    one_of = texts, min = number, max = number, min_length = number, max_length = number,
    pattern = either(text, "string", texts), pattern_help = text, never = array_of(texts),
    case = one_of{ "lower", "upper" },
    fields = array_of(parameter), closed = flag, refuse = array_of(section("rule")),
    items = described, min_items = number, max_items = number,
    values = described, min_pairs = number, max_pairs = number, key_max_length = number,
    list = one_of{ "comma", "repeat", "bracket" },
    extension = text, extension_when = map_of(text),
  },
  rule = { when = required(map_of(text)), why = required(text) },
}



local function known_words(words)
  local names = {}
  for word in pairs(words) do
    if type(word) == "string" then
      names[#names + 1] = word
    end
  end
  table.sort(names)
  return names
end


local function word_name(word)
  return type(word) == "number" and "[" .. word .. "]" or "." .. tostring(word)
end


--- Checks a table against the words of a section; raises with the word and the place.
---@param value any
---@param name string the section
---@param place string
function M.check(value, name, place)
  any_table(value, place)
  local words = M.sections[name]
  for word, content in pairs(value) do
    local rule = words[word]
    if not rule then
      M.refuse(place, ("'%s' is not a word of a definition here (%s)%s"):format(tostring(word),
        name,
        suggest.hint(tostring(word), known_words(words))))
    end
    local check = type(rule) == "table" and rule.check or rule
    check(content, place .. word_name(word))
  end
  for word, rule in pairs(words) do
    if type(rule) == "table" and rule.required and value[word] == nil then
      M.refuse(place, ("the word '%s' is missing"):format(tostring(word)))
    end
  end
end


local known_type = one_of(values.types)


--- Checks that a type's name is one of the known ones.
---@param name string
---@param place string
function M.check_type(name, place)
  known_type(name, place)
end


return M
