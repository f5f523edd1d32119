#include "tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct tls_server {
  char directory[64];
  int port[TLS_LISTENERS];
  pid_t nginx;
};

static const char certificates[] =
    "cd %s || exit 1\n"
    "key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2'\n"
    "ca() {\n"
    "  openssl req -x509 $key -keyout $1.key -out $1.pem -subj \"/CN=$1\""
    " -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign\n"
    "}\n"
    "signed() {\n"
    "  openssl req -x509 -CA $1.pem -CAkey $1.key $key -keyout $2.key -out $2.pem"
    " -subj \"/CN=$2\" -addext basicConstraints=CA:FALSE -addext subjectAltName=$3\n"
    "}\n"
    "{ ca ca && ca other-ca && signed ca server DNS:localhost,IP:127.0.0.1 &&"
    " signed ca other DNS:other.invalid && signed ca client DNS:client.invalid &&"
    " signed other-ca stranger DNS:client.invalid; } >log 2>&1 || { cat log >&2; exit 1; }\n"
    "yes 0123456789abcde | head -n 65536 >slow\n";

/* %1$s the directory, %2$d and on the ports in the order of the listeners */
static const char configuration[] =
    "daemon off; worker_processes 1; pid %1$s/pid; error_log %1$s/error.log error;\n"
    "events { worker_connections 1024; }\n"
    "http {\n"
    "  access_log off; default_type text/plain; keepalive_timeout 600s;\n"
    "  client_body_temp_path %1$s/t1; proxy_temp_path %1$s/t2; fastcgi_temp_path %1$s/t3;\n"
    "  uwsgi_temp_path %1$s/t4; scgi_temp_path %1$s/t5;\n"
    "  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:1m;\n"
    "  ssl_client_certificate %1$s/ca.pem;\n"
    "  ssl_certificate %1$s/server.pem; ssl_certificate_key %1$s/server.key;\n"
    "  server { listen 127.0.0.1:%2$d ssl http2; include %1$s/locations; }\n"
    "  server { listen 127.0.0.1:%3$d ssl; include %1$s/locations; }\n"
    "  server { listen 127.0.0.1:%4$d ssl; include %1$s/locations;\n"
    "    ssl_certificate %1$s/other.pem; ssl_certificate_key %1$s/other.key; }\n"
    "  server { listen 127.0.0.1:%5$d ssl http2; include %1$s/locations;\n"
    "    ssl_verify_client on; }\n"
    "  server { listen 127.0.0.1:%6$d http2; include %1$s/locations; }\n"
    "}\n";

static const char locations[] =
    "set $words \"$server_protocol $connection tls:$ssl_session_reused cert:$ssl_client_verify\";\n"
    "location / { return 200 $words; }\n"
    "location /close { keepalive_timeout 0; return 200 $words; }\n"
    "location = /slow { alias %s/slow; limit_rate 4k; add_header X-Words $words; }\n";

static void give_up(const char *what)
{
  perror(what);
  abort();
}

/* A text of a ring, which a test uses at once. */
static char *text(void)
{
  enum { TEXTS = 16, TEXT = 256 };
  static char texts[TEXTS][TEXT];
  static unsigned at;
  return texts[at++ % TEXTS];
}

const char *tls_file(const struct tls_server *server, const char *name)
{
  char *path = text();
  sprintf(path, "%.60s/%.40s", server->directory, name);
  return path;
}

int tls_port(const struct tls_server *server, enum tls_listener listener)
{
  return server->port[listener];
}

const char *tls_url(const struct tls_server *server, enum tls_listener listener, const char *path)
{
  char *url = text();
  sprintf(url, "%s://127.0.0.1:%d%.100s", listener == TLS_NONE ? "http" : "https",
          server->port[listener], path);
  return url;
}

static FILE *file_of(const struct tls_server *server, const char *name)
{
  FILE *file = fopen(tls_file(server, name), "w");
  if(!file)
    give_up(name);
  return file;
}

static void configure(const struct tls_server *server)
{
  const int *port = server->port;
  FILE *file = file_of(server, "nginx.conf");
  if(getuid() == 0)
    fprintf(file, "user root;\n"); /* its worker reads the directory, which is ours */
  fprintf(file, configuration, server->directory, port[TLS_H2], port[TLS_H1], port[TLS_OTHER_NAME],
          port[TLS_CLIENT_CERT], port[TLS_NONE]);
  fclose(file);
  file = file_of(server, "locations");
  fprintf(file, locations, server->directory);
  fclose(file);
}

/* nginx takes the sockets over, as it does when it is upgraded: no port can be
 * lost, and whoever connects before it is up only waits. */
static int listen_on_a_free_port(int *port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if(fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 511) != 0 ||
     getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    give_up("no listener");
  *port = ntohs(address.sin_port);
  return fd;
}

static pid_t shell(const char *command)
{
  extern char **environ;
  char *words[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
  pid_t child;
  if(posix_spawn(&child, "/bin/sh", NULL, NULL, words, environ) != 0)
    give_up("sh");
  return child;
}

/* Waits at most 30 s; then it is killed. (valgrind has no pidfd_open.) */
static int status_of(pid_t child)
{
  int status = -1;
  for(int i = 0; i < 3000; i++) {
    if(waitpid(child, &status, WNOHANG) == child)
      return status;
    poll(NULL, 0, 10);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return status;
}

static void run(const struct tls_server *server, const char *script)
{
  char command[4096];
  snprintf(command, sizeof(command), script, server->directory);
  if(status_of(shell(command)) != 0)
    give_up("a command has failed");
}

struct tls_server *tls_start(void)
{
  struct tls_server *server = calloc(1, sizeof(*server));
  int fds[TLS_LISTENERS];
  char inherited[128] = "", command[1024];
  strcpy(server->directory, "/tmp/ba-tls-XXXXXX");
  if(!mkdtemp(server->directory))
    give_up("no directory");
  run(server, certificates);
  for(int i = 0; i < TLS_LISTENERS; i++) {
    fds[i] = listen_on_a_free_port(&server->port[i]);
    sprintf(inherited + strlen(inherited), "%d;", fds[i]);
  }
  configure(server);
  /* It ends when we do, however that comes. */
  snprintf(command, sizeof(command),
           "PATH=$PATH:/usr/sbin NGINX='%1$s' exec setpriv --pdeathsig TERM nginx -p %2$s"
           " -c %2$s/nginx.conf -e %2$s/error.log 2>%2$s/log",
           inherited, server->directory);
  server->nginx = shell(command);
  for(int i = 0; i < TLS_LISTENERS; i++)
    close(fds[i]);
  return server;
}

void tls_stop(struct tls_server *server)
{
  kill(server->nginx, SIGTERM);
  int status = status_of(server->nginx);
  if(status != 0)
    fprintf(stderr, "nginx has ended with status %d\n", status);
  run(server, "cat %1$s/log >&2; grep -E 'emerg|alert' %1$s/error.log >&2; rm -rf %1$s");
  free(server);
}
