/* Runs one command on one core and prints what it cost, as one line of JSON:
 *
 *   measure CORE SECONDS COMMAND ARGUMENTS…
 *   {"status":0,"wall":1.25,"user":0.81,"sys":0.20,"rss":10240}
 *
 * wall, user and sys are seconds, rss is the peak in KiB. The command is killed
 * when SECONDS have passed. Its standard output goes to our standard error. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void kill_child(int signal_number)
{
  (void)signal_number;
  if(child > 0)
    kill(child, SIGKILL);
}

static double seconds(struct timeval t)
{
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_child(int core, char **command)
{
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if(sched_setaffinity(0, sizeof(set), &set) != 0 || dup2(2, 1) < 0) {
    perror("measure");
    _exit(126);
  }
  execvp(command[0], command);
  perror(command[0]);
  _exit(127);
}

int main(int argc, char **argv)
{
  if(argc < 4) {
    fprintf(stderr, "usage: measure CORE SECONDS COMMAND ARGUMENTS...\n");
    return 2;
  }
  double start = now();
  child = fork();
  if(child < 0) {
    perror("fork");
    return 1;
  }
  if(child == 0)
    run_child(atoi(argv[1]), argv + 3);
  signal(SIGALRM, kill_child);
  signal(SIGINT, kill_child);
  signal(SIGTERM, kill_child);
  alarm((unsigned)atoi(argv[2]));
  int status = 0;
  struct rusage usage;
  while(wait4(child, &status, 0, &usage) < 0)
    if(errno != EINTR)
      return 1;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  printf("{\"status\":%d,\"wall\":%.6f,\"user\":%.6f,\"sys\":%.6f,\"rss\":%ld}\n", code,
         now() - start, seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss);
  return 0;
}
