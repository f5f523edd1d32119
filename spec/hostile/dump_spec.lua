-- runs on: lua5.4
-- A core dump of a process that has a client, and has called with it, does not hold the key. The key
-- is in a file that the core reads (api_key_file): a Lua string would be Lua's own memory.

local program = require("support.program")

local MARK = "a text that any dump of this process holds"

local directory

setup(function()
  local pipe = assert(io.popen("mktemp -d"))
  directory = pipe:read("*l")
  pipe:close()
end)

teardown(function()
  os.execute("rm -rf '" .. directory .. "'")
end)


-- The key is put together by another process, which writes it into the file.
local function key_file(name)
  local path = ("%s/%s.key"):format(directory, name)
  assert(os.execute(("umask 077; printf 'sk-%%s-%%s' sandbox openai >%s"):format(path)))
  return path
end


-- What a process that does this with a client leaves behind when it is killed as by a fault.
local function dump_of(name, url, work)
  local folder = directory .. "/" .. name
  assert(os.execute("mkdir " .. folder))
  local said = program.said(([[
    local batchapi = require("batchapi")
    local mark = %q
    local client = assert(batchapi.openai{ api_key_file = %q, base_url = %q .. "/v1", ca_file = %q, max_retries = 0 })
    %s
    print("ready")
    io.stdout:flush()
    os.execute("kill -ABRT " .. require("batchapi.core").pid())
    local late = os.time() + 10
    repeat until os.time() > late
    print(mark, client)
  ]]):format(MARK, key_file(name), url, os.getenv("BATCHAPI_SANDBOX_CA"), work),
    ("case $LUA_CPATH in /*) ;; *) LUA_CPATH=$PWD/$LUA_CPATH ;; esac; cd %s && ulimit -c unlimited && env -u OPENAI_API_KEY")
      :format(folder))
  assert.matches("ready", said)
  local pipe = assert(io.popen("ls " .. folder))
  local core = pipe:read("*l")
  pipe:close()
  return core and folder .. "/" .. core
end


local function count(text, path)
  local pipe = assert(io.popen(("printf '%%s' '%s' | grep -c -a -F -f - %s"):format(text, path)))
  local lines = tonumber(pipe:read("*l"))
  pipe:close()
  return lines
end


describe("a core dump", function()
  local cases = {
    { "of a client that was made", "BATCHAPI_SANDBOX_URL", "" },
    { "of one that has called in clear", "BATCHAPI_SANDBOX_URL", "for _ = 1, 5 do assert(client:list_batches()) end" },
    { "of one that has called over TLS", "BATCHAPI_SANDBOX_TLS_URL", "for _ = 1, 5 do assert(client:list_batches()) end" },
  }
  for i, case in ipairs(cases) do
    it(case[1] .. " does not hold its key", function()
      local file = io.open("/proc/sys/kernel/core_pattern")
      local pattern = file and file:read("*l") or ""
      if file then
        file:close()
      end
      if pattern == "" or pattern:find("[|/]") then
        return pending("this system's dumps go to " .. pattern)
      end
      local core = dump_of("dump" .. i, os.getenv(case[2]), case[3])
      assert.is_string(core, "no dump was written")
      assert.is_true(count(MARK, core) > 0, "the dump holds nothing")
      assert.equal(0, count("sk-sandbox-openai", core))
      os.remove(core)
    end)
  end
end)
