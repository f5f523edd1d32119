local changes = require("batchapi.client.changes")

describe("changes.parse", function()
  it("reads one announcement or several", function()
    assert.same({ { name = "a", info = "https://x/y", affected = "true" }, { name = "b", info = "z" } },
      changes.parse("name=a;info=https://x/y;affected=true, name=b;info=z"))
  end)
end)

describe("changes.teller", function()
  local words = { header = "asana-change", name = "name", silenced_by = { "enable", "disable" } }

  it("tells each flag once, and none that was enabled or disabled", function()
    local told = {}
    local tell = changes.teller(words, {
      own = { enable = { "known" } },
      on_change = function(change)
        told[#told + 1] = change.name
      end,
    }, {})
    tell{ ["asana-change"] = "name=new;info=x, name=known;info=y" }
    tell{ ["asana-change"] = "name=new;info=x" }
    tell{}
    assert.same({ "new" }, told)
  end)
end)
