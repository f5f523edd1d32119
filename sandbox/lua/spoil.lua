-- What goes wrong with a line of a result file: README.md, "Faults", `lines`.
local M = {}


-- Puts bytes at the beginning of the answer's text, or of the line's id where there is no such text.
local function into_text(line, bytes)
  local spoilt, count = line:gsub('"content":"', '"content":"' .. bytes, 1)
  return count > 0 and spoilt or (line:gsub('"id":"', '"id":"' .. bytes, 1))
end

-- Each gives the line as it goes out; together with its LF.
M.kinds = {
  surrogate = function(line)
    return into_text(line, "\\ud83d")
  end,
  control = function(line)
    return into_text(line, "\v")
  end,
  utf8 = function(line)
    return into_text(line, "\233")
  end,
  nan = function(line)
    return (line:gsub('("total_tokens":)%d+', "%1NaN", 1))
  end,
  cut = function(line)
    return line:sub(1, math.floor(#line * 3 / 4)) .. "\n"
  end,
}

-- The order in which lines get them.
M.order = { "surrogate", "control", "utf8", "nan", "cut" }

-- Lines that belong to nobody.
local strays = { '{"custom_id":1.5,"response":null,"error":null}\n', "[]\n", '"text"\n', "null\n",
  '{"custom_id":null}\n', '{"id":"batch_req_broken","custom_id":\n' }


function M.stray(number)
  return strays[(number - 1) % #strays + 1]
end


return M
