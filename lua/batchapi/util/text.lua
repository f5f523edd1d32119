--- Text that must be UTF-8.

local core = require("batchapi.core")

local M = {}

local REPLACEMENT = "\239\191\189" -- U+FFFD


--- The text, with U+FFFD for each byte that is not of a valid UTF-8 sequence.
---@param text string
---@return string
function M.valid(text)
  if core.encode(text) then
    return text
  end
  -- A lead byte with the bytes that may follow it, or a byte alone.
  return (text:gsub("[\194-\244]?[\128-\191]*", function(sequence)
    local length = sequence == "" and 0 or sequence:byte() < 0xC2 and 0 or sequence:byte() < 0xE0 and 2
      or sequence:byte() < 0xF0 and 3 or 4
    if length > 0 and #sequence >= length and core.encode(sequence:sub(1, length)) then
      return sequence:sub(1, length) .. REPLACEMENT:rep(#sequence - length)
    end
    return REPLACEMENT:rep(#sequence)
  end):gsub("[\192\193\245-\255]", REPLACEMENT))
end


--- A service's text for people: without what a terminal or a log would obey. Line breaks stay.
---@param text string
---@return string
function M.printable(text)
  local flat = text:gsub("[\t\r\n]", " ")
  local shown = core.printable(flat)
  return shown == flat and text or shown
end


return M
