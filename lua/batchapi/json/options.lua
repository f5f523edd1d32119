--- The options of encoding and decoding JSON, for json/init.lua and jsonl.lua.

local errors = require("batchapi.util.errors")
local options = require("batchapi.client.options")

local M = {}

local depth = { name = "max_depth", kind = "number", integer = true, min = 1, max = 1000 }

M.encode = options.list{ depth, { name = "sort_keys", kind = "boolean" } }

M.decode = options.list{
  depth,
  { name = "null", kind = "string", one_of = { "absent", "keep" } },
  { name = "big_integers", kind = "string", one_of = { "float", "text", "cdata" } },
}


--- Raises for what is no set of options for decoding.
---@param given table
---@param list table M.decode, or a list that has its options too
---@param what string who takes them, for messages
function M.check_decode(given, list, what)
  options.check_list(given, list, what)
  if given.big_integers == "cdata" and not rawget(_G, "jit") then
    errors.misuse("%s: big_integers = \"cdata\" is for LuaJIT", what)
  end
end


return M
