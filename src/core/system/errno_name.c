/* The names of errno values: POSIX has none, and each system its own numbers. */
#include "system/system.h"

#include <errno.h>

struct name {
  int number;
  const char *name;
};

#define NAME(word)                                                                                 \
  {                                                                                                \
    word, #word                                                                                    \
  }

static const struct name names[] = {
    NAME(E2BIG),           NAME(EACCES),       NAME(EADDRINUSE),
    NAME(EADDRNOTAVAIL),   NAME(EAFNOSUPPORT), NAME(EAGAIN),
    NAME(EALREADY),        NAME(EBADF),        NAME(EBADMSG),
    NAME(EBUSY),           NAME(ECANCELED),    NAME(ECHILD),
    NAME(ECONNABORTED),    NAME(ECONNREFUSED), NAME(ECONNRESET),
    NAME(EDEADLK),         NAME(EDESTADDRREQ), NAME(EDOM),
    NAME(EDQUOT),          NAME(EEXIST),       NAME(EFAULT),
    NAME(EFBIG),           NAME(EHOSTUNREACH), NAME(EIDRM),
    NAME(EILSEQ),          NAME(EINPROGRESS),  NAME(EINTR),
    NAME(EINVAL),          NAME(EIO),          NAME(EISCONN),
    NAME(EISDIR),          NAME(ELOOP),        NAME(EMFILE),
    NAME(EMLINK),          NAME(EMSGSIZE),     NAME(ENAMETOOLONG),
    NAME(ENETDOWN),        NAME(ENETRESET),    NAME(ENETUNREACH),
    NAME(ENFILE),          NAME(ENOBUFS),      NAME(ENODEV),
    NAME(ENOENT),          NAME(ENOEXEC),      NAME(ENOLCK),
    NAME(ENOMEM),          NAME(ENOMSG),       NAME(ENOPROTOOPT),
    NAME(ENOSPC),          NAME(ENOSYS),       NAME(ENOTCONN),
    NAME(ENOTDIR),         NAME(ENOTEMPTY),    NAME(ENOTSOCK),
    NAME(EOPNOTSUPP),      NAME(ENOTSUP),      NAME(ENOTTY),
    NAME(ENXIO),           NAME(EOVERFLOW),    NAME(EPERM),
    NAME(EPIPE),           NAME(EPROTO),       NAME(EPROTONOSUPPORT),
    NAME(EPROTOTYPE),      NAME(ERANGE),       NAME(EROFS),
    NAME(ESPIPE),          NAME(ESRCH),        NAME(ESTALE),
    NAME(ETIMEDOUT),       NAME(ETXTBSY),      NAME(EXDEV),
/* Of two names for one number the one above counts. */
#ifdef EWOULDBLOCK
    NAME(EWOULDBLOCK),
#endif
#ifdef EOWNERDEAD
    NAME(EOWNERDEAD),
#endif
#ifdef ENOTRECOVERABLE
    NAME(ENOTRECOVERABLE),
#endif
#ifdef ENOLINK
    NAME(ENOLINK),
#endif
#ifdef EMULTIHOP
    NAME(EMULTIHOP),
#endif
#ifdef EHOSTDOWN
    NAME(EHOSTDOWN),
#endif
#ifdef ESHUTDOWN
    NAME(ESHUTDOWN),
#endif
#ifdef EUSERS
    NAME(EUSERS),
#endif
#ifdef EREMOTE
    NAME(EREMOTE),
#endif
#ifdef EREMOTEIO
    NAME(EREMOTEIO),
#endif
#ifdef EPFNOSUPPORT
    NAME(EPFNOSUPPORT),
#endif
#ifdef ESOCKTNOSUPPORT
    NAME(ESOCKTNOSUPPORT),
#endif
#ifdef ENOTBLK
    NAME(ENOTBLK),
#endif
#ifdef ENODATA
    NAME(ENODATA),
#endif
#ifdef ENOKEY
    NAME(ENOKEY),
#endif
#ifdef ENOMEDIUM
    NAME(ENOMEDIUM),
#endif
#ifdef EUCLEAN
    NAME(EUCLEAN),
#endif
};

const char *ba_errno_name(int number)
{
  for(size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if(names[i].number == number)
      return names[i].name;
  }
  return NULL;
}
