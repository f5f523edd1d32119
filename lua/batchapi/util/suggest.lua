--- Names the known word that a mistyped one was probably meant to be.

local M = {}


--- Levenshtein distance of two short words, with one row kept.
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end


--- The nearest of `known` (an array of words), or nil when none is near enough to be worth naming:
--- more than half of the word's letters would have to change.
---@param word string
---@param known string[]
---@return string|nil
function M.nearest(word, known)
  local best, best_distance
  local lowered = word:lower()
  for _, candidate in ipairs(known) do
    local d = distance(lowered, candidate:lower())
    if not best_distance or d < best_distance then
      best, best_distance = candidate, d
    end
  end
  if best and best_distance <= math.max(2, math.floor(#word / 2)) then
    return best
  end
  return nil
end


--- " Did you mean 'x'?", or an empty string when nothing is near.
---@param word string
---@param known string[]
---@return string
function M.hint(word, known)
  local nearest = M.nearest(word, known)
  return nearest and ("; did you mean '" .. nearest .. "'?") or ""
end


return M
