-- runs on: lua5.4
-- sandbox/run itself: what it sets, how it ends, and that it leaves nothing behind.

local curl = require("support.curl")


-- Runs a shell script under a sandbox of its own (inside the one that this spec runs under); its output and status.
local function run(script, before)
  local pipe = assert(io.popen((before or "") .. "timeout 60 sandbox/run sh -c " .. curl.quoted(script)
    .. " 2>&1; echo \" $?\""))
  local output = pipe:read("*a")
  pipe:close()
  local text, status = output:match("^(.*) (%d+)\n$")
  return text, tonumber(status)
end


-- Runs a bash script that starts sandbox/run in the background; its output.
local function bash(script)
  local pipe = assert(io.popen("timeout 60 bash -c " .. curl.quoted(script) .. " 2>/dev/null"))
  local output = pipe:read("*a")
  pipe:close()
  return output
end


-- Waits for a file to have something in it.
local WAIT = [[wait_for() { for _ in $(seq 1000); do [ -s "$1" ] && return; sleep 0.02; done; exit 9; }
mark=$(mktemp); rm "$mark"; trap 'rm -f "$mark"' EXIT
]]


describe("sandbox/run", function()
  it("exits with the command's status", function()
    local _, status = run("exit 7")
    assert.equal(7, status)
    _, status = run("exec /nonexistent")
    assert.equal(127, status)
  end)

  it("gives the command its own server, paths, input and arguments", function()
    local text = run([[read -r word; echo "$word $OPENAI_BASE_URL $BATCHAPI_SANDBOX_URL"; echo "$LUA_PATH $LUA_CPATH"]],
      "echo hello | BATCHAPI_BUILD=/somewhere OPENAI_API_KEY=sk-real ")
    local word, base, url = text:match("^(%S+) (%S+) (%S+)")
    assert.equal("hello", word)
    assert.equal(url .. "/v1", base)
    assert.not_equal(os.getenv("BATCHAPI_SANDBOX_URL"), url)
    assert.truthy(text:find("/lua/?.lua;", 1, true))
    assert.truthy(text:find("/somewhere/lib/?.so;", 1, true))
  end)

  it("leaves neither process nor file", function()
    local text = run('echo "$BATCHAPI_SANDBOX_DIR $BATCHAPI_SANDBOX_PID"')
    local directory, pid = text:match("^(%S+) (%d+)")
    assert.is_nil(io.open(directory .. "/nginx.conf"))
    assert.is_nil(io.open("/proc/" .. pid .. "/stat"))
  end)

  it("hands a signal on to the command, and ends with its status", function()
    assert.equal("9\n", bash(WAIT .. [[
      sandbox/run sh -c 'trap "exit 9" TERM; echo x >"'$mark'"; while :; do sleep 0.02; done' &
      run=$!; wait_for "$mark"; kill -TERM $run; wait $run; echo $?]]))
    assert.equal("130\n", bash(WAIT .. [[
      set -m; sandbox/run sh -c 'echo x >"'$mark'"; exec sleep 50' &
      run=$!; wait_for "$mark"; kill -INT $run; wait $run; echo $?]]))
  end)

  it("without a command prints its settings and stays until it is told to stop", function()
    local output = bash(WAIT .. [[
      sandbox/run >"$mark" & run=$!
      for _ in $(seq 1000); do grep -q LUA_CPATH "$mark" 2>/dev/null && break; sleep 0.02; done
      . "$mark"
      curl -s -o /dev/null -w '%{http_code} ' -H "Authorization: Bearer $OPENAI_API_KEY" "$OPENAI_BASE_URL/models"
      kill -TERM $run; wait $run; echo $?
      curl -s "$OPENAI_BASE_URL/models"; echo $?; ls "$BATCHAPI_SANDBOX_DIR" || echo gone]])
    assert.equal("200 0\n7\ngone\n", output)
  end)

  it("stops its server even when it is killed", function()
    assert.equal("gone\n", bash(WAIT .. [[
      sandbox/run sh -c 'echo "$BATCHAPI_SANDBOX_DIR" >"'$mark'.new"; mv "'$mark'.new" "'$mark'"; exec sleep 50' &
      run=$!; wait_for "$mark"; directory=$(cat "$mark"); kill -KILL $run
      for _ in $(seq 3000); do [ -e "$directory" ] || { echo gone; break; }; sleep 0.02; done]]))
  end)
end)
