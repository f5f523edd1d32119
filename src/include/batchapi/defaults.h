/* Limits: defaults and hard caps, in one place. */
#ifndef BA_DEFAULTS_H
#define BA_DEFAULTS_H

#define BA_DEFAULT_TIMEOUT 600.0        /* seconds, the whole call */
#define BA_DEFAULT_CONNECT_TIMEOUT 5.0  /* seconds, each attempt */
#define BA_DEFAULT_STALL_TIMEOUT 60.0   /* seconds without a byte either way */
#define BA_DEFAULT_SILENT_TIMEOUT 600.0 /* for the first byte, where no deadline is */
#define BA_DEFAULT_MAX_RETRIES 2
#define BA_DEFAULT_MAX_CONNECTIONS 64 /* calls of one client in flight at once */
#define BA_DEFAULT_MAX_HEADER_BYTES (256u << 10)
#define BA_DEFAULT_MAX_BODY_BYTES (64u << 20) /* after decompression */
#define BA_STREAM_BUFFER_BYTES (1u << 20)     /* then the transfer is paused */
#define BA_LIMITS_MAX 4                       /* weighted limiters of a client */

#endif
