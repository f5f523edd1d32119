--- What belongs together in the `run` section of a definition: operations that are there, words that a
--- family has and needs, names in templates, rules that can be right. The words stand in schema/run.lua.

local among = require("batchapi.util.among")
local own_codes = require("batchapi.util.own_codes")
local run_options = require("batchapi.definition.run_options")
local schema = require("batchapi.definition.schema")
local suggest = require("batchapi.util.suggest")
local template = require("batchapi.definition.template")

local M = {}


local refuse = schema.refuse


local function find_operation(definition, name)
  for _, operation in ipairs(definition.operations or {}) do
    if operation.name == name then
      return operation
    end
  end
end


--- Calls `visit(section, value, place)` for every table of `run` that is a section.
local function walk(name, value, place, visit)
  local section = schema.sections[name]
  visit(section, value, place)
  for _, word in ipairs(section.words) do
    local content, kind = value[word[1]], word[2]
    local here = ("%s.%s"):format(place, word[1])
    if content ~= nil and kind.section then
      walk(kind.section, content, here, visit)
    elseif type(content) == "table" and kind.item and kind.item.section then
      for key, one in pairs(content) do
        walk(kind.item.section, one, here .. (type(key) == "number" and "[%s]" or ".%s"):format(tostring(key)), visit)
      end
    end
  end
end


-- ---- operations ---------------------------------------------------------------------------------

local function check_operation(definition, value, place)
  if not find_operation(definition, value.operation) then
    local names = {}
    for i, operation in ipairs(definition.operations or {}) do
      names[i] = operation.name
    end
    refuse(place .. ".operation", ("the service has no operation '%s'%s"):format(value.operation,
      suggest.hint(value.operation, names)))
  end
end


--- What is read as lines must be a file, and what is the one result must be JSON.
local function check_collect(run, definition)
  for i, source in ipairs(run.collect or {}) do
    local answer = find_operation(definition, source.operation).answer or "json"
    local place = (".run.collect[%d].operation"):format(i)
    if run.family ~= "each" and answer == "json" then
      refuse(place, ("'%s' answers one JSON document, and lines are read: it needs answer = 'jsonl' or 'bytes'"):format(
        source.operation))
    elseif run.family == "each" and answer ~= "json" then
      refuse(place, ("'%s' answers a file, and in the family 'each' the answer is the result"):format(source.operation))
    end
  end
end


-- ---- families -----------------------------------------------------------------------------------

--- Words that a family has, and those that it cannot do without.
local function check_words(run)
  local family = run.family
  walk("run", run, ".run", function(section, value, place)
    for _, word in ipairs(section.words) do
      local name = word[1]
      if value[name] ~= nil and word.families and not among(family, word.families) then
        refuse(place .. "." .. name, ("is for family = '%s'"):format(table.concat(word.families, "', '")))
      elseif value[name] == nil and among(family, word.needed) then
        refuse(place, ("family = '%s' needs '%s'"):format(family, name))
      end
    end
  end)
  if (family == "file" or family == "inline") and not ((run.request or {}).id and (run.result or {}).id) then
    refuse("run", "answers of a batch match by id: 'request.id' and 'result.id' are needed")
  end
end


local function check_batches(run, definition)
  local is_batch = run.create.id ~= nil
  if is_batch and not definition.wait then
    refuse("run", "a batch must be watched: the definition needs 'wait'")
  elseif is_batch and not run.collect then
    refuse("run", "a batch must be collected: 'collect' is missing")
  elseif run.lookup and not find_operation(definition, run.lookup.operation).page then
    refuse("run.lookup.operation", "must be an operation with pages")
  elseif run.fence and not (run.lookup or {}).file then
    refuse("run.fence", "needs 'lookup.file'")
  end
end


local function check_request(request)
  if request.id and request.id:find(".", 1, true) then
    refuse("run.request.id", ("'%s' must be a field of the request, not a path into it"):format(request.id))
  elseif request.depends and not request.id then
    refuse("run.request.depends", "is for requests with 'id'")
  elseif request.depends and request.send then -- the ids are looked for in what the user gave
    refuse("run.request.depends", "cannot stand beside 'send'")
  elseif request.type == "string" then
    for _, word in ipairs{ "id", "fields", "required", "defaults", "verbatim", "equal", "uniform", "depends" } do
      if request[word] ~= nil then
        refuse("run.request." .. word, "says nothing about requests of type 'string'")
      end
    end
  end
end


-- ---- rules that can be right --------------------------------------------------------------------

local function check_among(section, value, place)
  if section.name ~= "run_among" then
    return
  elseif (value.path == nil) == (value.every == nil) then
    refuse(place, "needs either 'path' or 'every'")
  elseif value.field and not value.every then
    refuse(place .. ".field", "is for 'every'")
  elseif #value.one_of == 0 then
    refuse(place .. ".one_of", "is empty: nothing could be right")
  end
end


--- Answers in a file or an envelope have no status of their own but the one that `result` names.
local function check_result(run)
  local result = run.result or {}
  if run.family ~= "each" and not result.ok and not result.status then
    refuse("run.result", "needs 'status' or 'ok': without either no answer is a success")
  end
  for _, code in ipairs((result.retry or {}).codes or {}) do
    if own_codes.may_be_paid[code] then
      refuse("run.result.retry.codes", ("'%s' is a job's own word for what may have been paid, and is not repeated"):format(
        code))
    end
  end
end


-- ---- templates ----------------------------------------------------------------------------------

local function check_names(run)
  local known = {}
  for _, option in ipairs(run_options) do
    known[option.name] = true
  end
  for _, names in ipairs{ run.options or {}, schema.known } do
    for name in pairs(names) do
      known[name] = true
    end
  end
  for name in pairs(template.names(run, {})) do
    if not known[name] then
      local names = {}
      for other in pairs(known) do
        names[#names + 1] = other
      end
      table.sort(names)
      refuse("run", ("a template names '$%s', which is never known%s"):format(name, suggest.hint(name, names)))
    end
  end
end


local carried = { file = "file_id", inline = "requests", envelope = "requests", each = "request" }


--- What makes a batch, or a call, must carry what it is made of.
local function check_carried(run)
  local name = carried[run.family]
  local whole = run.family == "inline" or run.family == "envelope"
  if not template.names(run.create.arguments, {})[name] then
    refuse("run.create.arguments", ("family = '%s' needs '$%s' in it"):format(run.family, name))
  elseif whole and not template.has(run.create.arguments, "$" .. name) then
    refuse("run.create.arguments", ("'$%s' must stand alone: it is an array"):format(name))
  end
end


--- Checks what belongs together in a `run` section whose words were found right; raises with the place.
---@param run table
---@param definition table raw or compiled: `operations` and `wait` are looked at
function M.check(run, definition)
  walk("run", run, ".run", function(_, value, place)
    if value.operation ~= nil then
      check_operation(definition, value, place)
    end
  end)
  check_words(run)
  check_batches(run, definition)
  check_collect(run, definition)
  check_request(run.request or {})
  walk("run", run, ".run", check_among)
  check_result(run)
  check_names(run)
  check_carried(run)
end


return M
