--- The schema of definitions: every word there is, where it may stand, and what it says. Loading, checking,
--- help and the reference page (docs/definition.md) come from here; adding a word is adding one entry.
---
--- `sections` maps a section's name to { name, title, words, by_word }. A word is
---   [1]        how it is written (a number: its place in an array)
---   [2]        its kind (definition/kinds.lua); a kind's `section` names the section that it is
---   required   it must be there
---   help       what it says, in a sentence
---   example    how it is used, as Lua text, for the reference
---   types      of a parameter's facet: the types that it says something about
---   families   of a word of `run`: the families that have it (all)
---   needed     of a word of `run`: the families that cannot do without
--- `order` is the names of the sections as the reference shows them.

local kinds = require("batchapi.definition.kinds")
local run = require("batchapi.definition.schema.run")
local service = require("batchapi.definition.schema.service")
local suggest = require("batchapi.util.suggest")
local values = require("batchapi.check.values")

local M = { sections = {}, order = {}, refuse = kinds.refuse }

local refuse = kinds.refuse

--- What templates may name besides the options of `run`.
M.known = {
  path = "the part's file", filename = "its name", file_id = "the id of an uploaded file", batch_id = "the id of a batch",
  result_id = "what `collect` asks for", requests = "the requests of a part or call, an array",
  request = "one request", since = "the date and time that a lookup is read back to",
}

--- The types of parameters, of fields of requests and of options of run.
M.types = values.types


local function described_section(name, title, words)
  local by_word = {}
  for _, word in ipairs(words) do
    by_word[word[1]] = word
  end
  M.sections[name] = { name = name, title = title, words = words, by_word = by_word }
  M.order[#M.order + 1] = name
end


--- With a title and words: describes a section. Alone: the kind of a value that is such a section.
local function section(name, title, words)
  if words then
    return described_section(name, title, words)
  end
  return { said = "a table", section = name, check = function(value, place)
    return M.check(value, name, place)
  end }
end


local any_type = kinds.one_of(M.types)

-- A type's name alone, or a whole description.
local described = kinds.either(any_type, "string", section("parameter"))

-- What a value of a request or an option may be: no file.
local value_types = {}
for _, name in ipairs(M.types) do
  value_types[#value_types + 1] = name ~= "file" and name or nil
end

service(section, described)
run(section, described, kinds.one_of(value_types))


local function known_words(words)
  local names = {}
  for _, word in ipairs(words) do
    if type(word[1]) == "string" then
      names[#names + 1] = word[1]
    end
  end
  table.sort(names)
  return names
end


local function word_name(word)
  return type(word) == "number" and "[" .. word .. "]" or "." .. tostring(word)
end


--- Checks a table against the words of a section.
---@param value any
---@param name string the section
---@param place string
function M.check(value, name, place)
  kinds.any_table.check(value, place)
  local one = M.sections[name]
  for word, content in pairs(value) do
    local rule = one.by_word[word]
    if not rule then
      refuse(place, ("'%s' is not a word of a definition here (%s)%s"):format(tostring(word), name,
        suggest.hint(tostring(word), known_words(one.words))))
    end
    rule[2].check(content, place .. word_name(word))
  end
  for _, rule in ipairs(one.words) do
    if rule.required and value[rule[1]] == nil then
      refuse(place, ("the word '%s' is missing"):format(tostring(rule[1])))
    end
  end
end


--- Checks that a type's name is one of the known ones.
---@param name string
---@param place string
function M.check_type(name, place)
  any_type.check(name, place)
end


return M
