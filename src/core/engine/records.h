/* Records of attempts, for those who want to see them. A record owns copies of
 * all it shows, with secrets removed. */
#ifndef BA_RECORDS_H
#define BA_RECORDS_H

#include "batchapi/call.h"
#include "wire/transfer.h"

struct ba_record;

struct ba_records { /* LOCK */
  struct ba_record *first, **last, *shown;
  unsigned count;
};

void ba_records_init(struct ba_records *records); /* of a zeroed one */
void ba_records_free(struct ba_records *records);
/* I/O: keeps what is known of the attempt that has just ended. False: not kept. */
bool ba_records_add(struct ba_records *records, const struct ba_transfer *transfer, unsigned number,
                    double elapsed, const struct ba_error *error, double retry_in);
bool ba_records_next(struct ba_records *records, struct ba_attempt *out);

#endif
