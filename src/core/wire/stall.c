#include "wire/stall.h"

#include "wire/transfer.h"

double ba_stall_step(const struct ba_transfer *transfer)
{
  return transfer->request->options.stall_timeout / 8;
}

bool ba_has_stalled(struct ba_transfer *transfer, bool bounded, double now,
                    struct ba_failure *failure)
{
  const struct ba_request_options *options = &transfer->request->options;
  bool silent = ba_transfer_silent(transfer);
  double limit = silent ? options->silent_timeout : options->stall_timeout;
  int64_t progress = ba_transfer_progress(transfer);
  if(progress != transfer->progress || ba_stream_is_paused(transfer->stream)) {
    transfer->progress = progress;
    transfer->progress_at = now;
  }
  if((silent && bounded) || now - transfer->progress_at < limit - 0.001)
    return false;
  *failure = (struct ba_failure){.reason = BA_RETRY_TIMEOUT, .transient = true, .should_retry = -1};
  if(silent)
    ba_error_set(&failure->error, BA_TIMEOUT, NULL, "no answer within %g s of the last byte sent",
                 limit);
  else
    ba_error_set(&failure->error, BA_TIMEOUT, NULL,
                 "no byte in either direction for %g s (stall_timeout)", limit);
  return true;
}
