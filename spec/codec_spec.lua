local codec = require("batchapi.json.codec")


describe("a client's codec", function()
  for _, depth in ipairs{ 3, 511, 512, 513, 1000 } do
    it(("takes answers of %d levels and no more when max_json_depth says so"):format(depth), function()
      local own = codec.new{ max_json_depth = depth }
      assert.is_table(own.decode(("["):rep(depth) .. ("]"):rep(depth)))
      local value, _, err = own.decode(("["):rep(depth + 1) .. ("]"):rep(depth + 1))
      assert.is_nil(value)
      assert.equal("decode", err.kind)
    end)
  end
end)
