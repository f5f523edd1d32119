-- runs in: neovim
-- Inside Neovim: the same calls, in a coroutine. The editor stays usable meanwhile, and vim.api may be
-- used after each call.
--
--   BATCHAPI_BUILD=build-luajit sandbox/run nvim --headless -u NONE -n -c "luafile examples/hosts/neovim.lua"

local vim = rawget(_G, "vim")
local batchapi = require("batchapi")

local openai = assert(batchapi.openai())

local function nightly()
  vim.api.nvim_buf_set_lines(0, 0, -1, false, { "one line", "another line" })
  local requests = {}
  for i, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
    requests[i] = { body = { model = "gpt-4o-mini", messages = { { role = "user", content = line } } } }
  end
  local job = assert(openai:run(requests, { endpoint = "/v1/chat/completions", interval = 0.1, ordered = true }))
  for result in job:results() do
    assert(result.ok, result.custom_id)
    vim.api.nvim_buf_set_lines(0, result.index - 1, result.index, false,
      { result.body.choices[1].message.content })
  end
  io.stdout:write(table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n"), "\n")
  vim.cmd("qa!") -- an editor would go on
end

coroutine.wrap(nightly)()
