/* The file thread around fork, for process.c. */
#ifndef BA_WORK_THREAD_H
#define BA_WORK_THREAD_H

void ba_work_before_fork(void);
void ba_work_after_fork(void);
void ba_work_in_child(void);

#endif
