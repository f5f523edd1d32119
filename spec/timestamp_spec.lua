local timestamp = require("batchapi.util.timestamp")

describe("a timestamp", function()
  it("is what the system's own calendar says, from 1970 to 2200", function()
    for seconds = 0, 7258118400, 86400 * 13 + 12345 do
      assert.equal(os.date("!%Y-%m-%dT%H:%M:%SZ", seconds), timestamp.iso(seconds + 0.25))
    end
    assert.equal("2024-02-29T23:59:59Z", timestamp.iso(1709251199))
    assert.equal("2000-03-01T00:00:00Z", timestamp.iso(951868800))
  end)
end)
