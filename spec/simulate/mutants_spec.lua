-- A planted fault whose place is gone proves nothing any more: whoever moves the line moves the mutant.

local mutants = require("simulate.mutants")


describe("the simulator's mutants", function()
  it("each change what stands there, and Lua takes it", function()
    for _, mutant in ipairs(mutants.list) do
      assert.has_no.errors(function()
        mutants.chunks(mutant[1])
      end)
    end
    assert.is_true(#mutants.list >= 15)
  end)
end)
