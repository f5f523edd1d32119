"""Hostile answers over TLS: certificates that are not to be believed, handshakes that do not end."""

import os
import socket
import ssl
import struct
import subprocess
import time

import http2
from http1 import GOOD, Case, answer, length, reset, stays

CASES = {}
DIRECTORY = None


def openssl(*words, text=None):
    subprocess.run(["openssl", *words], cwd=DIRECTORY, check=True, input=text,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def issue(name, subject="/CN=127.0.0.1", names="IP:127.0.0.1", days="2", signer="ca", constraint="CA:FALSE", key="prime256v1",
          more=()):
    """A certificate NAME.pem with its key, signed by a CA's."""
    path = os.path.join(DIRECTORY, name)
    kind = ["rsa", "-pkeyopt", "rsa_keygen_bits:1024"] if key == "rsa1024" else ["ec", "-pkeyopt", "ec_paramgen_curve:" + key]
    openssl("genpkey", "-algorithm", *kind, "-out", name + ".key")
    openssl("req", "-new", "-key", name + ".key", "-subj", subject, "-out", name + ".csr")
    with open(path + ".ext", "w") as file:
        file.write("basicConstraints=critical,%s\nsubjectAltName=%s\n" % (constraint, names))
    sign = ["-signkey", name + ".key"] if signer is None else \
        ["-CA", signer + ".crt", "-CAkey", signer + ".key", "-CAcreateserial"]
    openssl("x509", "-req", "-in", name + ".csr", *sign, "-days", days, "-extfile", name + ".ext", "-out", name + ".crt", *more)
    with open(path + ".pem", "w") as out:
        for part in (name, signer) if signer not in (None, "ca") else (name,):
            with open(os.path.join(DIRECTORY, part + ".crt")) as file:
                out.write(file.read())


def prepare(directory):
    global DIRECTORY
    DIRECTORY = directory
    issue("ca", "/O=Hostile Specs/CN=A CA of the specs", "DNS:ca", signer=None, constraint="CA:TRUE")
    issue("good")
    issue("stranger", "/O=Strangers & Sons/CN=A proxy of a company", "DNS:ca", signer=None, constraint="CA:TRUE")
    issue("foreign", signer="stranger")
    issue("alone", signer=None)
    issue("elsewhere", "/CN=elsewhere.example", "DNS:elsewhere.example")
    issue("expired", days="-1")
    issue("leaf", constraint="CA:FALSE")
    issue("below", signer="leaf")
    issue("weak", key="rsa1024")


def context(certificate="good", least=ssl.TLSVersion.TLSv1_2, most=ssl.TLSVersion.TLSv1_3, alpn=("http/1.1",), ciphers=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate == "weak" or least < ssl.TLSVersion.TLSv1_2:
        made.set_ciphers("ALL:@SECLEVEL=0")
    if ciphers:
        made.set_ciphers(ciphers)
    made.minimum_version, made.maximum_version = least, most
    made.load_cert_chain(os.path.join(DIRECTORY, certificate + ".pem"), os.path.join(DIRECTORY, certificate + ".key"))
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


def case(name, expect, **options):
    def register(talk):
        CASES[name] = Case(talk, expect, options)
        return talk

    return register


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        got = connection.recv(65536)
        if not got:
            break
        head += got
    return head


def offers(name, expect, options=None, then=None, **settings):
    """A server of TLS with these settings, that answers well where it comes to that."""

    @case(name, expect, **(options or {}))
    def talk(sock):
        secure = context(**settings).wrap_socket(sock, server_side=True)
        read_head(secure)
        if then:
            then(secure)
        else:
            secure.sendall(answer(length(GOOD), GOOD))
            stays(secure)


def certificates():
    offers("as it should be", "ok")
    offers("a stranger's certificate", "tls", options={"names": "Strangers & Sons"}, certificate="foreign")
    offers("a certificate of its own", "tls", certificate="alone")
    offers("a certificate of another host", "tls", certificate="elsewhere")
    offers("a certificate that has expired", "tls", certificate="expired")
    offers("a certificate signed by one that may not sign", "tls", certificate="below")
    offers("a key of 1024 bits", "tls", certificate="weak")
    offers("TLS 1.0 at most", "tls", least=ssl.TLSVersion.TLSv1, most=ssl.TLSVersion.TLSv1)
    offers("TLS 1.1 at most", "tls", least=ssl.TLSVersion.TLSv1_1, most=ssl.TLSVersion.TLSv1_1)
    offers("TLS 1.2", "ok", most=ssl.TLSVersion.TLSv1_2)
    offers("an anonymous cipher", "tls", most=ssl.TLSVersion.TLSv1_2, ciphers="aNULL:@SECLEVEL=0")


def record(kind, payload, version=b"\x03\x03"):
    return bytes([kind]) + version + struct.pack(">H", len(payload)) + payload


def handshakes():
    BROKEN = "tls connect timeout"

    @case("no TLS at all", "tls connect")
    def plain(sock):
        sock.recv(65536)
        sock.sendall(answer(length(GOOD), GOOD))

    @case("the end at once", BROKEN)
    def nothing(sock):
        sock.close()

    @case("the end after the greeting", BROKEN)
    def greeted(sock):
        sock.recv(65536)

    @case("a reset in the handshake", BROKEN)
    def reset_early(sock):
        sock.recv(65536)
        reset(sock)

    @case("silence in the handshake", "timeout")
    def silence(sock):
        sock.recv(65536)
        stays(sock)

    @case("bytes of every kind", BROKEN)
    def garbage(sock):
        sock.recv(65536)
        sock.sendall(bytes(range(256)) * 8)

    @case("a record longer than any may be", BROKEN)
    def long_record(sock):
        sock.recv(65536)
        sock.sendall(b"\x16\x03\x03\xff\xff" + b"\0" * 65535)

    @case("half a greeting, a byte at a time", "timeout tls")
    def drip(sock):
        sock.recv(65536)
        for byte in record(0x16, b"\x02\x00\xff\xff" + b"\0" * 16000):
            sock.sendall(bytes([byte]))
            time.sleep(0.02)

    offers_version = answer(length(GOOD), GOOD, version=b"HTTP/2")

    @case("HTTP/2 in words only", "decode")
    def words(sock):
        secure = context().wrap_socket(sock, server_side=True)
        read_head(secure)
        secure.sendall(offers_version)
        stays(secure)

    @case("an alert", BROKEN)
    def alert(sock):
        sock.recv(65536)
        sock.sendall(record(0x15, b"\x02\x28"))

    def floods(name, block, **options):
        @case(name, BROKEN, **options)
        def talk(sock):
            sock.recv(65536)
            while True:
                sock.sendall(block * (65536 // len(block)))

    floods("endless warnings", record(0x15, b"\x01\x5a"))
    floods("endless empty records", record(0x16, b""))
    floods("endless requests to begin again", record(0x16, b"\0\0\0\0"), captures=True)
    floods("endless requests to begin again, many in a record", record(0x16, b"\0\0\0\0" * 4000), captures=True)
    floods("endless changes of cipher", record(0x14, b"\1"))
    floods("endless heartbeats", record(0x18, b"\1\0\0"))
    floods("an endless greeting", record(0x16, b"\x02\xff\xff\xff" + b"\0" * 16000))

    @case("100,000 tickets", "ok timeout tls connect", captures=True)
    def tickets(sock):
        made = context()
        made.num_tickets = 100000
        secure = made.wrap_socket(sock, server_side=True)
        read_head(secure)
        secure.sendall(answer(length(GOOD), GOOD))
        stays(secure)

    def cut(head, body, files, name, expect):
        @case(name, expect, **({"to": "file"} if files else {}))
        def talk(sock):
            secure = context().wrap_socket(sock, server_side=True)
            read_head(secure)
            secure.sendall(answer(head, body))
            sock_shut(secure)

    def sock_shut(secure):
        os.close(secure.detach())  # no goodbye

    cut(b"X: y", GOOD, False, "an end without a goodbye", "truncated connect tls ok")
    cut(b"X: y", GOOD, True, "a file that ends without a goodbye", "truncated connect tls")
    cut(b"Content-Length: 100", GOOD, True, "a file cut without a goodbye", "truncated connect tls")

    @case("bytes in clear behind the handshake", "truncated connect tls decode")
    def clear(sock):
        secure = context().wrap_socket(sock, server_side=True)
        read_head(secure)
        raw = socket.socket(fileno=secure.detach())
        raw.sendall(answer(length(GOOD), GOOD))

    @case("endless 1xx", "too_large timeout")
    def interim(sock):
        secure = context().wrap_socket(sock, server_side=True)
        read_head(secure)
        while True:
            secure.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000)

    @case("another protocol by ALPN", "connect tls ok decode")
    def alpn(sock):
        secure = context(alpn=("h3", "spdy/1")).wrap_socket(sock, server_side=True)
        read_head(secure)
        secure.sendall(answer(length(GOOD), GOOD))
        stays(secure)


def http2_cases():
    """Over TLS libcurl keeps its connections of HTTP/2, and several calls share one."""

    def over_http2(name, expect, frames, **options):
        def serve(sock):
            secure = context(alpn=("h2",)).wrap_socket(sock, server_side=True)
            http2.serve(secure, Case(lambda talks: frames(talks), expect, options))

        case("HTTP/2: " + name, expect, **options)(serve)

    def says(name, expect, frames, **options):
        over_http2(name, expect, lambda t: t.send(*frames(t), gap=http2.GAP), **options)

    says("as it should be", "ok", lambda t: [t.good()])
    says("without a length", "ok", lambda t: [t.headers(), t.data(GOOD, http2.END_STREAM)])
    goodbye = http2.frame(http2.GOAWAY, 0, 0, struct.pack(">II", 1, 0))
    says("a goodbye with the end", "ok", lambda t: [t.headers(), t.data(GOOD), goodbye + t.data(b"", http2.END_STREAM)])
    says("a goodbye behind the end", "ok", lambda t: [t.headers(), t.data(GOOD), t.data(b"", http2.END_STREAM) + goodbye])
    for name, what, expect in http2.BREAKS:
        for text, body in http2.TEXTS:
            says("%s behind %s" % (name, text), expect, lambda t, w=what, b=body: [t.headers()] + b(t) + [w(t)])
        says("%s within a file" % name, expect, lambda t, w=what: [t.headers(), t.data(b"12\n"), w(t)], to="file")

    def several(talks):
        for t in talks:
            t.send(t.headers(), t.data(b"12"))
        time.sleep(http2.GAP)
        talks[0].send(http2.frame(http2.SETTINGS, http2.ACK) * 50)

    over_http2("four at once, cut", http2.CUT, several, calls=4)
    # One whose reader is slow holds the connection meanwhile.
    says("cut beside one that waits", http2.CUT, lambda t: [t.headers(), t.data(b"12"),
         http2.frame(http2.SETTINGS, http2.ACK) * 50], calls=2, paused=True)


for part in (certificates, handshakes, http2_cases):
    part()
