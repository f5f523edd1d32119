--- What runs here: batchapi's own version, the Lua, and the libraries below the module, each as it was built with and
--- as it runs.

local core = require("batchapi.core")
local version = require("batchapi.version")

---@class batchapi.Versions
---@field batchapi string
---@field lua string the interpreter's own name
---@field libcurl batchapi.core.TwoVersions
---@field openssl batchapi.core.TwoVersions
---@field zlib batchapi.core.TwoVersions
---@field features table<string, boolean> what this libcurl can do: http2, brotli, zstd, unix_sockets, https_proxy, async_dns
---@field made_of string all that libcurl is made of, as it says itself

local jit = rawget(_G, "jit")
local names = { "libcurl", "openssl", "zlib" }


local function as_text(versions)
  local parts = { "batchapi " .. versions.batchapi, versions.lua }
  for _, name in ipairs(names) do
    local two = versions[name]
    parts[#parts + 1] = ("%s %s%s"):format(name, two.running,
      two.built ~= two.running and (" (built with %s)"):format(two.built) or "")
  end
  local lacking = {}
  for feature, has in pairs(versions.features) do
    if not has then
      lacking[#lacking + 1] = feature
    end
  end
  table.sort(lacking)
  if #lacking > 0 then
    parts[#parts + 1] = "libcurl without " .. table.concat(lacking, ", ")
  end
  return table.concat(parts, "; ")
end


---@return batchapi.Versions
return function()
  local versions = core.versions()
  versions.batchapi = version
  versions.lua = jit and jit.version or _VERSION
  return setmetatable(versions, { __tostring = as_text })
end
