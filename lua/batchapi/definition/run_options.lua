--- The options of `run` that every service's jobs take. Data only, in the words of check/options.lua and
--- three more:
---
---   shapes     another run on the same directory may not change it
---   fleeting   it is of one process, and not written into the journal
---   resume     `resume` takes it too
---
--- Templates of a definition may name each ("$metadata").

local check = require("batchapi.check.options")

return check.list{
  { name = "dir", kind = "string", fleeting = true,
    help = "directory of the journal; the job then survives the process (see resume)" },
  { name = "metadata", kind = "table", shapes = true,
    help = "pairs of texts, kept with each batch where the service has a place for them" },
  { name = "attempts", kind = "integer", default = 1, min = 1, resume = true,
    help = "how often a request may be tried in all" },
  { name = "ordered", kind = "boolean",
    help = "results in the requests' order (true where answers come by position)" },
  { name = "concurrency", kind = "integer", min = 1, resume = true,
    help = "batches or calls at once (the service's definition says)" },
  { name = "requests_per_minute", kind = "integer", min = 1,
    help = "requests started in a minute, where they are called one by one (no limit)" },
  { name = "max_requests_per_batch", kind = "integer", min = 1, shapes = true,
    help = "requests in a batch or call (the service's limit, never more)" },
  { name = "max_bytes_per_batch", kind = "integer", min = 1, shapes = true,
    help = "bytes of a batch or call (the service's limit, never more)" },
  { name = "interval", kind = "number", min = 0.001, resume = true,
    help = "seconds between looks at a batch, at first (1, or what suits the service)" },
  { name = "timeout", kind = "number", min = 0, resume = true,
    help = "seconds for each wait (the completion window and an hour)" },
  { name = "settle", kind = "number", default = 60, min = 0, resume = true,
    help = "seconds to look for a batch whose create had no answer" },
  { name = "lock_timeout", kind = "number", default = 0, min = 0, fleeting = true, resume = true,
    help = "seconds to wait for another process that holds dir" },
  { name = "group", kind = "boolean", default = false, fleeting = true, resume = true,
    help = "the directory may be another user's of a group of ours" },
  { name = "expires_after", kind = "number", min = 1, shapes = true,
    help = "seconds until the service deletes the uploaded file (never)" },
  { name = "output_expires_after", kind = "number", min = 1, shapes = true,
    help = "seconds until the service deletes the result files (never)" },
  { name = "cleanup", kind = "boolean", default = false, resume = true,
    help = "delete the job's files at the service in the end" },
  { name = "follow_pages", kind = "boolean", default = false, shapes = true,
    help = "read the further pages of an answer too" },
  { name = "repeat_writes", kind = "boolean", default = false,
    help = "repeat also what may have been carried out already" },
  { name = "dry_run", kind = "boolean", default = false, fleeting = true,
    help = "check every request and say what would be sent; nothing is" },
  { name = "on_update", kind = "function", callable = true, fleeting = true, resume = true,
    help = "called with job:status() as the job moves; batchapi.progress() draws it" },
}
