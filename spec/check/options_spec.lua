-- Each table of options that a user may give: a name that is nearly right is named, at the user's line,
-- and so is a value of a type that the option does not have.

local batchapi = require("batchapi")
local json = require("batchapi.json")
local jsonl = require("batchapi.jsonl")

local client = assert(batchapi.openai{ api_key = "sk-options" })
local path = os.tmpname()
local requests = { { body = { model = "m" } } }

teardown(function()
  client:close()
  os.remove(path)
end)

-- What takes options: by which list it checks them, and how it is called with some.
local takers = {
  { "openai", require("batchapi.client.options").general, batchapi.openai },
  { "wait", require("batchapi.client.wait").options, function(given) client:wait("b", given) end },
  { "run", require("batchapi.definition.run_options"), function(given) client:run(requests, given) end },
  { "resume", require("batchapi.job").resume_options, function(given) batchapi.resume(path, given) end },
  { "request", require("batchapi.call.request").free_options, function(given) client:request(given) end },
  { "map", require("batchapi.host.parallel").map_options, function(given) batchapi.map({}, print, given) end },
  { "parallel", require("batchapi.host.parallel").parallel_options,
    function(given) batchapi.parallel(given, print) end },
  { "show", require("batchapi.show").options, function(given) batchapi.show(1, given) end },
  { "encode", require("batchapi.json.options").encode, function(given) json.encode(1, given) end },
  { "decode", require("batchapi.json.options").decode, function(given) json.decode("1", given) end },
  { "read", require("batchapi.json.options").decode, function(given) jsonl.read(path, given) end },
  { "webhook.verify", require("batchapi.webhook").options,
    function(given) batchapi.webhook.verify({}, "", "", given) end },
  { "authorize_url", require("batchapi.oauth").authorize_options, batchapi.oauth.authorize_url },
  { "exchange", require("batchapi.oauth").exchange_options, batchapi.oauth.exchange },
  { "host", require("batchapi.host.driver.custom").options,
    function(given) batchapi.openai{ api_key = "k", host = given } end },
}

-- What a call with one option raises; nil when it raises nothing. `by_user` is at a line of this file.
local function raised(call, name, value)
  local ok, why = pcall(function()
    call{ [name] = value } -- the caller's line
    return nil
  end)
  return not ok and tostring(why) or nil
end


describe("the options of", function()
  for _, taker in ipairs(takers) do
    it(taker[1] .. ": a name that is nearly right is told", function()
      assert.is_true(#taker[2] > 0)
      for _, option in ipairs(taker[2]) do
        local why = raised(taker[3], option.name .. "q", 1)
        local wanted = ("has no option '%sq'; did you mean '%s'?"):format(option.name, option.name)
        assert.truthy(why and why:find(wanted, 1, true), tostring(why))
        assert.matches("^spec/check/options_spec%.lua:%d+: ", why)
      end
    end)

    it(taker[1] .. ": a value of another type is refused, and a number is no name", function()
      for _, option in ipairs(taker[2]) do
        if option.kind ~= "any" then
          local why = raised(taker[3], option.name, coroutine.create(function() end))
          assert.truthy(why and why:find("option " .. option.name .. " must be a", 1, true), option.name)
          assert.matches("^spec/check/options_spec%.lua:%d+: ", why)
        end
      end
      assert.matches("has no option '1'", raised(taker[3], 1, 1))
    end)

    it(taker[1] .. ": each says what it does", function()
      for _, option in ipairs(taker[2]) do
        assert.is_true(#(option.help or "") > 4, option.name)
      end
    end)
  end
end)
