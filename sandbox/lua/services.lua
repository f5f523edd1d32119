-- The services this sandbox plays; each module gives its routes.
local router = require("router")

for _, name in ipairs { "control", "openai", "oauth", "asana_oauth", "asana", "factset", "robotoff", "anthropic",
  "mistral", "graph" } do
  router.register(require(name).services)
end

return true
