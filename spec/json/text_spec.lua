local text = require("batchapi.util.text")


describe("text.valid", function()
  it("leaves what is valid as it is", function()
    for _, good in ipairs{ "", "plain", "\0\1\127", "caf\195\169 \226\130\172 \240\159\152\128" } do
      assert.are.equal(good, text.valid(good))
    end
  end)

  it("puts U+FFFD in the place of each byte that is not UTF-8, and keeps the rest", function()
    local r = "\239\191\189"
    for bad, expected in pairs{
      ["caf\233"] = "caf" .. r, ["\195"] = r, ["\195\169\169x"] = "\195\169" .. r .. "x", ["\169\195\169"] = r .. "\195\169",
      ["\237\160\189"] = r .. r .. r, ["\226\130 \195\169"] = r .. r .. " \195\169", ["\192\128"] = r .. r,
      ["\255\254a"] = r .. r .. "a", ["\240\159\152"] = r .. r .. r, ["\195\195\169"] = r .. "\195\169",
    } do
      assert.are.equal(expected, text.valid(bad))
    end
  end)
end)
