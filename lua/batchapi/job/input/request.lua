--- One request of a job: completed, checked, and written as it will be sent.

local core = require("batchapi.core")
local paths = require("batchapi.util.path")
local suggest = require("batchapi.util.suggest")
local template = require("batchapi.definition.template")

local M = {}
M.__index = M

local null = core.null
local sorted = { sort_keys = true }


---@param run table the definition's run section
---@param options table of run
---@param check function|nil called with the request as it is sent: true | nil, message
function M.new(run, options, check)
  return setmetatable({
    spec = run.request or {}, limits = run.limits or {}, run = run, options = options,
    check_sent = check, uniform = {}, infer = nil,
  }, M)
end


--- The id that is made for a request without one.
---@param index integer
---@return string
function M.made_id(index)
  return ("request-%d"):format(index)
end


local function is_object(value)
  return type(value) == "table" and getmetatable(value) ~= core.array_mt and value[1] == nil
end


local function is_array(value)
  return type(value) == "table" and not is_object(value)
end


--- Has a field the type that the definition names? An empty table is an object and an array.
local function has_type(value, wanted)
  if wanted == "object" or wanted == "map" then
    return is_object(value)
  elseif wanted == "array" then
    return is_array(value) or type(value) == "table" and next(value) == nil
  elseif wanted == "integer" then
    return type(value) == "number" and value == math.floor(value)
  end
  return type(value) == wanted
end


local function absent(value)
  return value == nil or value == null
end


local function field_names(fields)
  local names = {}
  for name in pairs(fields) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end


--- `open`: fields that are not known are the service's to judge.
local function check_fields(spec, value, open)
  for name, content in pairs(value) do
    local wanted = spec.fields and spec.fields[name]
    if spec.fields and not wanted and not open then
      return nil, ("unknown field '%s'%s"):format(tostring(name),
        suggest.hint(tostring(name), field_names(spec.fields)))
    elseif wanted and wanted ~= "any" and not has_type(content, wanted) then
      return nil, ("'%s' must be %s %s, got %s"):format(name, wanted:find("^[aio]") and "an" or "a", wanted,
        content == null and "null" or is_array(content) and "an array" or "a " .. type(content))
    end
  end
  for _, name in ipairs(spec.required or {}) do
    if absent(value[name]) then
      return nil, ("'%s' is missing"):format(name)
    end
  end
  return true
end


local function check_id(spec, id)
  if type(id) ~= "string" or id == "" then
    return nil, ("'%s' must be a string that is not empty"):format(spec.id)
  elseif spec.id_max and #id > spec.id_max then
    return nil, ("'%s' may have at most %d characters"):format(spec.id, spec.id_max)
  elseif spec.id_pattern and not id:find(spec.id_pattern) then
    return nil, ("'%s' has characters that the service refuses: %q"):format(spec.id, id)
  end
  return true
end


--- Templates of one level, filled once: the options do not change any more.
local function filled(templates, options)
  local values = {}
  for name, content in pairs(templates or {}) do
    values[name] = template.fill(content, options)
  end
  return values
end


--- An option that the first request can tell (word `infer`) is taken from it.
function M:infer_options(value)
  for name, rule in pairs(self.run.options or {}) do
    if rule.infer and self.options[name] == nil and type(value) == "table" then
      self.options[name] = paths.get(value, rule.infer)
    end
    if rule.needed and self.options[name] == nil then
      return nil, ("option '%s' is missing, and the first request has no '%s'"):format(name, rule.infer)
    end
  end
  self.defaults, self.equal = filled(self.spec.defaults, self.options), filled(self.spec.equal, self.options)
  self.inferred = true
  return true
end


function M:check_equal(value)
  for name, expected in pairs(self.equal) do
    if value[name] ~= expected then
      return nil, ("'%s' is %q, but this job is for %q: the service refuses the whole batch")
        :format(name, tostring(value[name]), tostring(expected))
    end
  end
  for _, path in ipairs(self.spec.uniform or {}) do
    local content = paths.get(value, path)
    if type(content) == "string" then
      if self.uniform[path] == nil then
        self.uniform[path] = content
      elseif self.uniform[path] ~= content then
        return nil, ("'%s' is %q, but the first request has %q: the service takes one for a whole batch")
          :format(path, content, self.uniform[path])
      end
    end
  end
  return true
end


--- How much a request counts against a limit on inputs.
function M:inputs(value)
  local rule = self.limits.inputs
  if not rule or type(value) ~= "table" then
    return 0
  end
  local url = type(value.url) == "string" and value.url or self.options.endpoint
  if type(url) ~= "string" or url:sub(-#rule.url) ~= rule.url then
    return 0
  end
  local content = paths.get(value, rule.path)
  if type(content) ~= "table" or type(content[1]) == "number" then
    return 1
  end
  return #content
end


--- Has a line of a file all that it needs to be sent as it is?
local function is_complete(spec, value, raw)
  local whole = raw ~= nil and spec.verbatim ~= nil
  for _, name in ipairs(spec.verbatim or {}) do
    whole = whole and not absent(value[name])
  end
  return whole
end


--- A line of a file with what it lacks before the rest, which stays as the user wrote it: the order of
--- keys may mean something to a model. nil where a key stands there without a value.
local function fill_line(raw, value, added)
  local pieces = {}
  if next(added) == nil then
    return raw
  end
  for _, name in ipairs(field_names(added)) do
    if value[name] ~= nil then
      return nil
    end
    pieces[#pieces + 1] = core.encode(name) .. ":" .. core.encode(added[name], sorted)
  end
  local rest = raw:match("^%s*{%s*(.-)%s*$")
  return "{" .. table.concat(pieces, ",") .. (rest == "}" and "" or ",") .. rest
end


--- Completes a request of the table kind. Gives what is to be written and its id.
function M:prepare_table(value, raw, index)
  local spec = self.spec
  if not is_object(value) then
    return nil, ("a request must be an object, got %s"):format(
      type(value) == "table" and "an array" or value == null and "null" or "a " .. type(value))
  end
  local verbatim = is_complete(spec, value, raw) and raw or nil
  local ok, why = check_fields(spec, value, verbatim ~= nil)
  if not ok then
    return nil, why
  end
  local whole, added = value, {}
  if not verbatim then
    local mt = getmetatable(value)
    whole = type(mt) == "table" and mt.__batchapi_order and setmetatable({}, mt) or {}
    for name, content in pairs(value) do
      whole[name] = content
    end
    for name, default in pairs(self.defaults) do
      if absent(whole[name]) then
        whole[name], added[name] = default, default
      end
    end
    if spec.id and absent(whole[spec.id]) then
      whole[spec.id] = M.made_id(index)
      added[spec.id] = whole[spec.id]
    end
    verbatim = raw and not spec.send and fill_line(raw, value, added)
  end
  local id = spec.id and whole[spec.id]
  if id then
    ok, why = check_id(spec, id)
    if not ok then
      return nil, why
    end
  end
  ok, why = self:check_equal(whole)
  if not ok then
    return nil, why
  end
  return whole, id, verbatim or nil
end


--- What goes out for a request: itself, or the definition's `send` filled with it.
---@param whole any
---@return any
function M:sent(whole)
  if self.spec.send then
    return template.fill(self.spec.send, { request = whole })
  end
  return whole
end


--- Makes the line of a request.
---@param value any the request as the user gave it
---@param raw string|nil its bytes, if it is a line of a file
---@param index integer from 1
---@return string|nil line without a line feed
---@return string|nil id, or the reason when there is no line
---@return integer|nil inputs
function M:prepare(value, raw, index)
  if not self.inferred then
    local ok, why = self:infer_options(value)
    if not ok then
      return nil, why
    end
  end
  local whole, id, verbatim = value, nil, nil
  if self.spec.type == "string" then
    if type(value) ~= "string" or value == "" then
      return nil, "a request must be a string that is not empty"
    end
  else
    whole, id, verbatim = self:prepare_table(value, raw, index)
    if whole == nil then
      return nil, id
    end
  end
  local sent = self:sent(whole)
  if self.check_sent then
    local ok, why = self.check_sent(sent)
    if not ok then
      return nil, why
    end
  end
  if verbatim then
    return verbatim, id, self:inputs(whole)
  end
  local line, problem = core.encode(sent, sorted)
  if not line then
    return nil, problem
  end
  return line, id, self:inputs(whole)
end


return M
