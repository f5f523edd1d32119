/* Exchanges with token servers, carried as calls of our own. */
#ifndef BA_EXCHANGE_H
#define BA_EXCHANGE_H

/* From now on those who wait for a token get theirs this way. */
void ba_exchanges_begin(void);

#endif
