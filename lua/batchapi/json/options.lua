--- The options of encoding and decoding JSON, for json/init.lua and jsonl.lua.

local errors = require("batchapi.util.errors")
local options = require("batchapi.check.options")

local M = {}

local depth = { name = "max_depth", kind = "integer", min = 1, max = 1000, default = 512,
  help = "levels of arrays and objects within one another" }

M.encode = options.list{
  depth,
  { name = "sort_keys", kind = "boolean", default = true, help = "keys in order; false: as they come, a little faster" },
}

M.decode = options.list{
  depth,
  { name = "null", kind = "string", one_of = { "absent", "keep" }, default = "absent",
    help = "what a null in an object becomes: nothing, or batchapi.null" },
  { name = "big_integers", kind = "string", one_of = { "float", "text", "cdata" }, default = "float",
    help = "what an integer becomes that this Lua's numbers do not hold: its nearest number, its digits, or "
      .. "a cdata (LuaJIT)" },
}


--- Raises for what is no set of options for decoding.
---@param given table
---@param list table M.decode, or a list that has its options too
---@param what string who takes them, for messages
function M.check_decode(given, list, what)
  options.check(given, list, what)
  if given.big_integers == "cdata" and not rawget(_G, "jit") then
    errors.misuse("%s: big_integers = \"cdata\" is for LuaJIT", what)
  end
end


return M
