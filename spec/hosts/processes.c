/* processes: children of fork and the time of threads, for the hosts of spec/hosts. */
#include <lauxlib.h>
#include <lua.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_processes(lua_State *L);

/* processes.worked() -> seconds that this thread has had a processor   [-0, +1, -] */
static int process_worked(lua_State *L)
{
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  lua_pushnumber(L, (lua_Number)time.tv_sec + (lua_Number)time.tv_nsec / 1e9);
  return 1;
}

/* processes.fork() -> pid, fd: the read end of a pipe; in the child 0 and its other end   [-0, +2,
 * e]
 */
static int process_fork(lua_State *L)
{
  int ends[2];
  if(pipe2(ends, O_CLOEXEC) != 0)
    return luaL_error(L, "pipe: %d", errno);
  pid_t pid = fork();
  if(pid < 0)
    return luaL_error(L, "fork: %d", errno);
  close(ends[pid == 0 ? 0 : 1]);
  lua_pushinteger(L, pid);
  lua_pushinteger(L, ends[pid == 0 ? 1 : 0]);
  return 2;
}

/* processes.told(pid, fd) -> what the child has said once it has ended ("": nothing), nil before;
 * then fd is closed. Its status a host may have taken (Tarantool waits for every child).   [-0, +1,
 * e]
 */
static int process_told(lua_State *L)
{
  char text[16];
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  struct pollfd end = {.fd = (int)luaL_checkinteger(L, 2), .events = POLLIN};
  if(poll(&end, 1, 0) <= 0) {
    lua_pushnil(L);
    return 1;
  }
  ssize_t length = read(end.fd, text, sizeof(text));
  waitpid(pid, NULL, 0);
  close(end.fd);
  lua_pushlstring(L, text, length > 0 ? (size_t)length : 0);
  return 1;
}

/* processes.kill(pid)   [-0, +0, e] */
static int process_kill(lua_State *L)
{
  kill((pid_t)luaL_checkinteger(L, 1), SIGKILL);
  return 0;
}

/* processes.leave(fd, text): says it and ends the process, without any last word   [-0, +0, e] */
static int process_leave(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  _exit(write((int)luaL_checkinteger(L, 1), text, length) == (ssize_t)length ? 0 : 1);
}

int luaopen_processes(lua_State *L)
{
  static const struct {
    const char *name;
    lua_CFunction function;
  } functions[] = {{"fork", process_fork},
                   {"kill", process_kill},
                   {"leave", process_leave},
                   {"told", process_told},
                   {"worked", process_worked}};
  lua_newtable(L);
  for(size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
    lua_pushcfunction(L, functions[i].function);
    lua_setfield(L, -2, functions[i].name);
  }
  return 1;
}
