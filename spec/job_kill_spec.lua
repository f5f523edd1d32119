-- runs on: lua5.4
local core = require("batchapi.core")
local kill = require("support.kill")
local sandbox = require("support.sandbox")

-- All 200 seeds: make test-kill.
describe("a job that is killed again and again", function()
  teardown(function()
    sandbox.reset()
  end)

  for _, seed in ipairs(os.getenv("BATCHAPI_SLOW") and {} or { 1001, 1002 }) do
    it("ends with one result for each request and each batch made once, seed " .. seed, function()
      local base = ("%s/batchapi-kill-%s"):format(os.getenv("TMPDIR") or "/tmp", core.random(6))
      assert.is_true(os.execute(("mkdir '%s'"):format(base)))
      local ok, why = kill.seed(seed, base)
      os.execute(("rm -rf '%s'"):format(base))
      assert.is_true(ok, why)
    end)
  end
end)
