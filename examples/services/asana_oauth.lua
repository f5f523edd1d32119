-- says: a new token was kept
-- Asana's OAuth 2.0 with the refresh token kept in a file. Asana may give a new refresh token with each access
-- token, and the old one is dead then: so it is written down before the access token is used.
--
--   sandbox/run lua5.4 examples/services/asana_oauth.lua [FILE]

local batchapi = require("batchapi")

local path = arg[1] or os.tmpname()

local function read()
  local file = io.open(path)
  local token = file and file:read("*l")
  if file then
    file:close()
  end
  return token or os.getenv("ASANA_REFRESH_TOKEN") -- the first one: batchapi.oauth.exchange gives it
end

local function keep(token) -- written beside, then renamed: a crash leaves the old one or the new one
  local file = assert(io.open(path .. ".new", "w"))
  assert(file:write(token, "\n"))
  assert(file:close())
  assert(os.rename(path .. ".new", path))
  print("a new token was kept")
end

-- The sandbox gives a new refresh token only if it is told to, and takes the old one no more.
if os.getenv("BATCHAPI_SANDBOX_URL") then
  os.execute([[curl -sS -o /dev/null "$BATCHAPI_SANDBOX_URL/_control/settings" \
    -d '{"asana":{"rotate_refresh_tokens":true}}']])
end

local asana = assert(batchapi.asana{
  oauth = {
    client_id = os.getenv("ASANA_CLIENT_ID"),
    client_secret = os.getenv("ASANA_CLIENT_SECRET"),
    refresh_token = read, -- a function: asked again when another process has renewed the token
  },
  on_token = keep,
})

local answer = assert(asana:create_batch_request{ data = { actions = {
  { method = "get", relative_path = "/users/me", options = { fields = { "name" } } },
} } })
print("hello, " .. answer.data[1].body.data.name)
if not arg[1] then
  os.remove(path)
end
