"""Hostile answers over HTTP/2: frames of every kind, empty, endless, out of order.

The `h2` package plays the part that behaves (settings, reading the request); what a case sends
goes past it, frame by frame.
"""

import random
import struct
import time

import h2.config
import h2.connection
import h2.events
import hpack

from http1 import GOOD, Case, stays

CASES = {}

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Talk:
    """A connection whose request has been read: what a case speaks through."""

    def __init__(self, sock, stream, authorization, encoder):
        self.sock, self.stream, self.authorization = sock, stream, authorization
        self.encoder = encoder  # one for a connection

    def send(self, *frames, gap=0):
        """With a gap, each is read before the next is there."""
        for one in frames if gap else [b"".join(frames)]:
            self.sock.sendall(one)
            time.sleep(gap)

    def endless(self, block, pause=0.0):
        block *= max(1, 65536 // len(block)) if not pause else 1
        while True:
            self.sock.sendall(block)
            if pause:
                time.sleep(pause)

    def block(self, *fields):
        return self.encoder.encode([(a, b, True) for a, b in fields])

    def headers(self, *fields, status="200", flags=END_HEADERS):
        return frame(HEADERS, flags, self.stream, self.block((":status", status), *fields))

    def data(self, body=b"", flags=0):
        return frame(DATA, flags, self.stream, body)

    def good(self):
        return self.headers(("content-length", str(len(GOOD)))) + self.data(GOOD, END_STREAM)


def serve(sock, case):
    """One connection: reads a request (or several), and answers as the case does."""
    conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    conn.local_settings.max_concurrent_streams = 100
    conn.initiate_connection()
    sock.sendall(conn.data_to_send())
    talks = []
    while True:
        received = sock.recv(65536)
        if not received:
            return
        for event in conn.receive_data(received):
            if not isinstance(event, h2.events.RequestReceived):
                continue
            fields = dict(event.headers)
            sock.sendall(conn.data_to_send())
            encoder = talks[0].encoder if talks else hpack.Encoder()
            talks.append(Talk(sock, event.stream_id, fields.get("authorization", ""), encoder))
            if case.options.get("paused") and len(talks) == 1:
                talks[0].send(talks[0].headers(), *[talks[0].data(b"[]\n" * 5000)] * 400)
            if len(talks) == case.options.get("calls", 1):
                case.talk(talks[-1] if len(talks) == 1 or case.options.get("paused") else talks)
                stays(sock)
                return
        sock.sendall(conn.data_to_send())


def case(name, expect, **options):
    def register(talk):
        assert name not in CASES, name
        CASES[name] = Case(talk, expect, options)
        return talk

    return register


def says(name, expect, frames, gap=0, **options):
    """frames: function(talk) that gives the bytes to send; the server then says nothing more."""

    @case(name, expect, **options)
    def talk(t):
        t.send(*frames(t), gap=gap)


def endless(name, expect, begin, block, pause=0.0, **options):
    @case(name, expect, heavy=not pause, **options)
    def talk(t):
        t.send(*begin(t))
        t.endless(block(t), pause)


ANY = "connect truncated decode timeout too_large http"


def nothing(t):
    return [b""]


def begun(t):
    return [t.headers()]


def flows():
    says("as it should be", "ok", lambda t: [t.good()])
    says("no body", "ok", lambda t: [t.headers(flags=END_HEADERS | END_STREAM)])
    endless("endless empty DATA", "timeout", begun, lambda t: t.data(), captures=True)
    endless("endless empty DATA before the headers", ANY, nothing, lambda t: t.data())
    endless("endless empty DATA, slowly", "timeout", begun, lambda t: t.data(), pause=0.02)
    endless("endless padding", "timeout too_large", begun,
            lambda t: frame(DATA, PADDED, t.stream, b"\xff" + b"\0" * 255), captures=True)
    endless("endless DATA of a byte", "timeout too_large connect truncated", begun, lambda t: t.data(b" "), captures=True)
    endless("endless PING", ANY, begun, lambda t: frame(PING, 0, 0, b"12345678"), captures=True)
    endless("endless PING answers", ANY, begun, lambda t: frame(PING, ACK, 0, b"12345678"), captures=True)
    endless("endless SETTINGS", ANY, begun, lambda t: frame(SETTINGS), captures=True)
    endless("endless SETTINGS answers", ANY, begun, lambda t: frame(SETTINGS, ACK), captures=True)
    endless("endless SETTINGS of a table size", ANY, begun,
            lambda t: frame(SETTINGS, 0, 0, struct.pack(">HI", 1, 4096)), captures=True)
    endless("endless WINDOW_UPDATE", ANY, begun, lambda t: frame(WINDOW_UPDATE, 0, t.stream, struct.pack(">I", 1)),
            captures=True)
    endless("endless PRIORITY", ANY, begun, lambda t: frame(PRIORITY, 0, t.stream, struct.pack(">IB", 0, 1)), captures=True)
    endless("endless frames of no known kind", ANY, begun, lambda t: frame(0xEE, 0, t.stream), captures=True)
    endless("endless ALTSVC", ANY, begun, lambda t: frame(10, 0, 0, b"\0\1x" + b"y" * 40), captures=True)
    endless("endless resets of other streams", ANY, begun,
            lambda t: frame(RST_STREAM, 0, t.stream + 2, struct.pack(">I", 8)), captures=True)
    endless("endless GOAWAY", ANY, begun, lambda t: frame(GOAWAY, 0, 0, struct.pack(">II", 0x7FFFFFFF, 0)), captures=True)
    endless("endless 1xx", "too_large " + ANY, nothing,
            lambda t: frame(HEADERS, END_HEADERS, t.stream, b"\x08\x03103"), captures=True)
    endless("endless trailers", "too_large " + ANY, begun,
            lambda t: frame(HEADERS, END_HEADERS, t.stream, b"\x00\x01a\x01b"), captures=True)


def blocks():
    def continued(t, flags=0):
        return [frame(HEADERS, 0, t.stream, b"\x88")]

    endless("endless CONTINUATION", ANY, continued, lambda t: frame(CONTINUATION, 0, t.stream, b"\x00\x01a\x01b"), captures=True)
    endless("endless empty CONTINUATION", ANY, continued, lambda t: frame(CONTINUATION, 0, t.stream), captures=True)
    says("CONTINUATION of another stream", ANY,
         lambda t: continued(t) + [frame(CONTINUATION, END_HEADERS, t.stream + 2, b"")])
    says("DATA within the headers", ANY, lambda t: continued(t) + [t.data(GOOD, END_STREAM)])
    says("HPACK: garbage", ANY, lambda t: [frame(HEADERS, END_HEADERS, t.stream, b"\xff" * 200)])
    says("HPACK: an index that is not there", ANY, lambda t: [frame(HEADERS, END_HEADERS, t.stream, b"\x88\xfe")])
    says("HPACK: a length of 2^60", ANY,
         lambda t: [frame(HEADERS, END_HEADERS, t.stream, b"\x88\x00\x01a\x7f" + b"\xff" * 8 + b"\x07")])
    says("HPACK: a table size of 2^30", ANY, lambda t: [frame(HEADERS, END_HEADERS, t.stream, b"\x3f\xe1\xff\xff\xff\x03\x88")])

    def hpack_bomb(t):
        first = b"\x40\x01a\x7f" + hpack_integer(3900, 7)[1:] + b"b" * 3900  # into the table
        return [frame(HEADERS, END_HEADERS, t.stream, b"\x88" + first + b"\xbe" * 12000)]

    says("HPACK: 47 MB from 16 kB", "too_large " + ANY, hpack_bomb)
    says("headers: 20,000 short ones", "too_large " + ANY,
         lambda t: [frame(HEADERS, 0, t.stream, b"\x88")] +
         [frame(CONTINUATION, END_HEADERS if i == 4 else 0, t.stream, b"\x00\x01a\x00" * 4000) for i in range(5)])
    says("headers: no status", ANY, lambda t: [frame(HEADERS, END_HEADERS, t.stream, t.block(("a", "b")))])
    says("headers: two statuses", ANY,
         lambda t: [frame(HEADERS, END_HEADERS, t.stream, t.block((":status", "200"), (":status", "500")))])
    for status in ("abc", "20", "2000", "-200", "", "999", "101"):
        says("headers: status '%s'" % status, ANY, lambda t, s=status: [t.headers(status=s), t.data(GOOD, END_STREAM)])
    says("headers: a request's", ANY, lambda t: [t.headers((":path", "/"))])
    says("headers: the status behind", ANY,
         lambda t: [frame(HEADERS, END_HEADERS, t.stream, t.block(("a", "b"), (":status", "200")))])
    says("headers: capitals", ANY + " ok", lambda t: [t.headers(("Server", "x")), t.data(GOOD, END_STREAM)])
    says("headers: connection", ANY + " ok", lambda t: [t.headers(("connection", "close")), t.data(GOOD, END_STREAM)])
    says("headers: chunked", ANY + " ok", lambda t: [t.headers(("transfer-encoding", "chunked")), t.data(GOOD, END_STREAM)])
    says("headers: line ends within", ANY + " ok",
         lambda t: [t.headers(("a", "b\r\nx-evil: 1")), t.data(GOOD, END_STREAM)])
    says("headers: NUL within", ANY + " ok", lambda t: [t.headers(("a", "b\0c")), t.data(GOOD, END_STREAM)])


def hpack_integer(value, bits):
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    out, value = [most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def lengths():
    for name, values, expect in [
        ("too long", ["8"], ANY), ("too short", ["6"], ANY), ("huge", ["9" * 22], ANY), ("negative", ["-1"], ANY),
        ("a list", ["7, 8"], ANY), ("letters", ["7a"], ANY), ("two that differ", ["7", "8"], ANY),
        ("two of the same", ["7", "7"], ANY + " ok"), ("plus", ["+7"], ANY), ("empty", [""], ANY),
    ]:
        fields = [("content-length", value) for value in values]
        says("length: " + name, expect, lambda t, f=fields: [t.headers(*f), t.data(GOOD, END_STREAM)])
        says("length of a file: " + name, expect, lambda t, f=fields: [t.headers(*f), t.data(GOOD, END_STREAM)], to="file")


# What ends a session: no answer that was under way is whole then.
GAP = 0.03
CUT = "truncated connect decode timeout too_large"
BREAKS = [
    ("an answer to no SETTINGS", lambda t: frame(SETTINGS, ACK) * 50, CUT),
    ("a reset of a stream that is not there", lambda t: frame(RST_STREAM, 0, t.stream + 2, struct.pack(">I", 8)), CUT),
    ("trailers without an end", lambda t: frame(HEADERS, END_HEADERS, t.stream, b"\x00\x01a\x01b") * 2, CUT),
    ("DATA on a stream that is not there", lambda t: frame(DATA, 0, t.stream + 2, b"x"), CUT),
    ("a PING of seven bytes", lambda t: frame(PING, 0, 0, b"1234567"), CUT),
]
TEXTS = [("nothing", lambda t: []), ("a number", lambda t: [t.data(b"12")]), ("a text", lambda t: [t.data(b"12\n13\n")])]


def out_of_order():
    word = struct.pack(">I", 1)
    for name, send, expect in [
        ("DATA on stream 0", lambda t: [frame(DATA, 0, 0, GOOD)], ANY),
        ("DATA on a stream that is not there", lambda t: [frame(DATA, 0, t.stream + 2, GOOD)], ANY),
        ("DATA on an even stream", lambda t: [frame(DATA, 0, 2, GOOD)], ANY),
        ("DATA before the headers", lambda t: [t.data(GOOD)], ANY),
        ("DATA behind the end", lambda t: [t.good(), t.data(GOOD)], ANY + " ok"),
        ("DATA with more padding than it has", lambda t: [t.headers(), frame(DATA, PADDED, t.stream, b"\xff" + GOOD)], ANY),
        ("HEADERS on stream 0", lambda t: [frame(HEADERS, END_HEADERS, 0, b"\x88")], ANY),
        ("HEADERS behind the end", lambda t: [t.good(), t.headers()], ANY + " ok"),
        ("HEADERS that depend on themselves",
         lambda t: [frame(HEADERS, END_HEADERS | 0x20, t.stream, struct.pack(">IB", t.stream, 1) + b"\x88")], ANY),
        ("a promise", lambda t: [frame(PUSH_PROMISE, END_HEADERS, t.stream, struct.pack(">I", 2) + b"\x82")], ANY),
        ("SETTINGS of five bytes", lambda t: [frame(SETTINGS, 0, 0, b"12345")], ANY),
        ("SETTINGS on a stream", lambda t: [frame(SETTINGS, 0, t.stream)], ANY),
        ("SETTINGS answer with a payload", lambda t: [frame(SETTINGS, ACK, 0, b"123456")], ANY),
        ("a window of 2^32-1", lambda t: [frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0xFFFFFFFF))], ANY),
        ("a frame size of 1", lambda t: [frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1))], ANY),
        ("no streams allowed", lambda t: [frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 0)), t.good()], ANY + " ok"),
        ("WINDOW_UPDATE of 0", lambda t: [frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0")], ANY),
        ("WINDOW_UPDATE beyond 2^31", lambda t: [frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2], ANY),
        ("WINDOW_UPDATE of three bytes", lambda t: [frame(WINDOW_UPDATE, 0, 0, b"123")], ANY),
        ("PING of seven bytes", lambda t: [frame(PING, 0, 0, b"1234567")], ANY),
        ("PING on a stream", lambda t: [frame(PING, 0, t.stream, b"12345678")], ANY),
        ("RST_STREAM of stream 0", lambda t: [frame(RST_STREAM, 0, 0, word)], ANY),
        ("RST_STREAM of three bytes", lambda t: [frame(RST_STREAM, 0, t.stream, b"123")], ANY),
        ("GOAWAY of three bytes", lambda t: [frame(GOAWAY, 0, 0, b"123")], ANY),
        ("GOAWAY with 16 kB of words", lambda t: [frame(GOAWAY, 0, 0, b"\0" * 8 + b"\x1b[2J" * 4000)], ANY),
        ("a frame of 16 MB", lambda t: [b"\xff\xff\xff\0\0" + struct.pack(">I", t.stream) + b"x" * 65536], ANY),
        ("half a frame", lambda t: [frame(DATA, 0, t.stream, GOOD)[:5]], ANY),
        ("HTTP/1.1", lambda t: [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"], ANY),
        ("the client's own words", lambda t: [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], ANY),
        ("more than the window takes", lambda t: [t.headers()] + [t.data(b"x" * 16384)] * 4000, ANY),
    ]:
        says(name, expect, send)
    for code in (0, 1, 2, 3, 5, 7, 8, 11, 13, 0xFFFFFFFF):
        says("reset by code %d" % code, ANY + " ok",
             lambda t, c=code: [t.headers(), frame(RST_STREAM, 0, t.stream, struct.pack(">I", c))])

    for name, what, expect in BREAKS:
        for text, body in TEXTS:
            says("%s behind %s" % (name, text), expect, lambda t, w=what, b=body: [t.headers()] + b(t) + [w(t)], GAP)
        says("%s behind a line" % name, expect, lambda t, w=what: [t.headers(), t.data(b'{"a":1}\n'), w(t)], GAP, rows=True)
        says("%s within a file" % name, expect, lambda t, w=what: [t.headers(), t.data(b"12\n"), w(t)], GAP, to="file")

    @case("the end without the end of the stream", "truncated connect decode")
    def cut(t):
        t.send(t.headers(), t.data(GOOD))
        t.sock.close()

    @case("a file without the end of the stream", "truncated connect decode", to="file")
    def cut_file(t):
        t.send(t.headers(), t.data(GOOD))
        t.sock.close()


def fuzz(seed):
    """Frames drawn at random: kinds, flags, streams and payloads, whole answers among them."""

    @case("drawn by seed %d" % seed, ANY + " ok auth rate_limit", drawn=True)
    def talk(t):
        draw = random.Random(seed)
        out = []
        for _ in range(draw.choice((3, 30, 300))):
            kind = draw.choice((DATA, DATA, HEADERS, *range(10), draw.randrange(256)))
            stream = draw.choice((t.stream, t.stream, 0, t.stream + 2, 2, draw.randrange(1 << 31)))
            size = draw.choice((0, 0, 1, 4, 5, 6, 8, draw.randrange(300)))
            payload = draw.choice((b"\x88", t.block((":status", "200"), ("a", "b")), draw.randbytes(size)))
            out.append(frame(kind, draw.choice((0, 1, 4, 5, draw.randrange(256))), stream, payload))
            if draw.random() < 0.1:
                out.append(out[-1] * draw.choice((2, 1000)))
        t.send(*out)


for part in (flows, blocks, lengths, out_of_order):
    part()
for seed in range(1, 41):
    fuzz(seed)
