-- The library is written for what 5.1, LuaJIT and 5.2 to 5.4 have in common.
std = "min"
max_line_length = 125
max_comment_line_length = false -- tables of words in doc comments
self = false
cache = false
exclude_files = { "build*", "**/node_modules" }

files["lua/batchapi/services"].max_line_length = false -- data

-- Specs run under busted; some of them ask which Lua they run on.
files["spec"].std = "max+busted"

-- Inside nginx.
files["sandbox"].std = "ngx_lua"
files["lua/batchapi/host/driver/openresty.lua"].std = "ngx_lua"
files["examples/openresty"].std = "ngx_lua"
files["examples/cookbook/webhook"].std = "ngx_lua"
files["spec/openresty"].std = "ngx_lua+busted"

-- A type description for editors, never run.
files["**/*.d.lua"] = { ignore = { "212", "241", "431", "631" } }

-- Programs of this repository, run by Lua 5.4.
files["tools"].std = "lua54"
files["bench"].std = "lua54"
files["bench/cosocket_client.lua"].std = "ngx_lua"
files["*.rockspec"].std = "rockspec"
