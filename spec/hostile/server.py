"""Plays servers that mean harm, on ports of their own on loopback, for hostile_spec.lua.

Prints one line of JSON: the ports, the CA's file, and the cases of each protocol with the outcomes
that are right for them. It ends when its standard input ends. Another process of it serves the calls
beside.
"""

import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import http1
import http2
import tls


class Connection:
    """A socket whose request has been read, with what cases ask about it."""

    def __init__(self, sock, request):
        self._sock, self.request = sock, request
        self.authorization = b""
        for line in request.split(b"\r\n"):
            if line.lower().startswith(b"authorization: "):
                self.authorization = line[15:]

    def __getattr__(self, name):
        return getattr(self._sock, name)


def talk_http1(sock, case):
    head = tls.read_head(sock)
    if head:
        case.talk(Connection(sock, head))


def talk_http2(sock, case):
    http2.serve(sock, case)


def talk_tls(sock, case):
    case.talk(sock)


def talk_mixed(sock, _):
    """Answers with the number that was asked for, each a moment later; what is asked for as 0 is
    answered with words of HTTP/2. A client that believes them sends all its requests at once."""
    while True:
        head = tls.read_head(sock)
        if not head:
            return
        number = head.split(b" ")[1][1:]
        time.sleep(0.03)
        body = b'{"number":%s}' % number
        sock.sendall(http1.answer(http1.length(body), body, version=b"HTTP/2" if number == b"0" else b"HTTP/1.1"))


def talk_mixed_tls(sock, _):
    talk_mixed(tls.context().wrap_socket(sock, server_side=True), _)


def listen(talk, case):
    """Each connection has a thread; whatever happens to it is its own affair."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def one(sock):
        try:
            sock.settimeout(30)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            talk(sock, case)
            # what a peer has not read yet must not be lost to a reset
            sock.shutdown(socket.SHUT_WR)
            http1.stays(sock, 2)
        except Exception as problem:
            if os.environ.get("HOSTILE_TRACE"):
                print(repr(problem), file=sys.stderr)
        finally:
            sock.close()

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=one, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def serve_innocents(report):
    """In a process of its own: no flood of the others takes its time."""

    def talk(sock, _):
        while tls.read_head(sock):
            sock.sendall(http1.answer(http1.length(http1.GOOD), http1.GOOD))

    os.write(report, b"%d\n" % listen(talk, None))
    os.close(report)
    sys.stdin.read()


def main():
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        os.setpgid(0, 0)
        serve_innocents(writer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        innocent = int(pipe.readline())
    directory = sys.argv[1]
    tls.prepare(directory)
    told = {"innocent": innocent, "ca": directory + "/ca.crt", "protocols": []}
    # A port for each case, or one would meet a connection that another has left behind.
    for protocol, cases, talk in (("http1", http1.CASES, talk_http1), ("http2", http2.CASES, talk_http2),
                                  ("tls", tls.CASES, talk_tls)):
        told["protocols"].append({"name": protocol, "cases": [
            {"name": name, "port": listen(talk, one), "expect": one.expect, "options": one.options}
            for name, one in cases.items()]})
    told["mixed"] = {"http": listen(talk_mixed, None), "https": listen(talk_mixed_tls, None)}
    print(json.dumps(told), flush=True)
    sys.stdin.read()
    os._exit(0)


main()
