--- The metatable of a client's counts: their text is those that are not zero.

return {
  __tostring = function(stats)
    local parts = {}
    for _, name in ipairs{ "requests", "attempts", "succeeded", "failed", "in_flight", "queued", "connections_opened",
      "connections_reused", "bytes_sent", "bytes_received", "token_requests" } do
      parts[#parts + 1] = stats[name] and stats[name] ~= 0 and ("%s %d"):format((name:gsub("_", " ")), stats[name]) or nil
    end
    for _, reason in ipairs{ "connect", "reset", "server", "rate_limit", "timeout", "truncated", "tls", "auth" } do
      local count = (stats.retries or {})[reason]
      parts[#parts + 1] = count and count ~= 0 and ("repeated for %s %d"):format((reason:gsub("_", " ")), count) or nil
    end
    return #parts > 0 and table.concat(parts, ", ") or "nothing was asked yet"
  end,
}
