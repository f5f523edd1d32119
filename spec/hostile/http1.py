"""Hostile answers over HTTP/1.1: what a server may say to harm who calls it.

Each case is a function that talks on a connection whose request has been read, and the outcomes
that are right: "ok" (the answer is taken), or kinds of error.
"""

import gzip
import socket
import struct
import time
import zlib

GOOD = b'{"a":1}'
CASES = {}


class Case:
    def __init__(self, talk, expect, path_options):
        self.talk = talk
        self.expect = expect.split()
        self.options = path_options


def case(name, expect, **options):
    """options: what the caller does (see hostile_spec.lua): to="file", bytes=N, and so on."""

    def register(talk):
        assert name not in CASES, name
        CASES[name] = Case(talk, expect, options)
        return talk

    return register


def answer(head, body=b"", status=b"200 OK", version=b"HTTP/1.1"):
    if isinstance(head, bytes):
        head = [head]
    lines = [version + b" " + status] + [line for line in head if line is not None]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def length(body):
    return b"Content-Length: %d" % len(body)


def says(name, expect, what, **options):
    """A case that sends these bytes and hangs up."""

    @case(name, expect, **options)
    def talk(connection):
        connection.sendall(what)


def endless(name, expect, begin, block, pause=0.0, **options):
    """A case that sends a beginning, and then a block again and again."""

    @case(name, expect, heavy=not pause, **options)
    def talk(connection):
        connection.sendall(begin)
        while True:
            connection.sendall(block)
            if pause:
                time.sleep(pause)


def stays(connection, seconds=20):
    """Says nothing more until the other side hangs up."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def framing():
    """Lengths that do not agree with what comes, or with each other."""
    two = b'{"a":1}'
    for name, value, expect in [
        ("huge", b"9999999999999999999999", "decode"),
        ("2^64", b"18446744073709551616", "decode"),
        ("2^64+7", b"18446744073709551623", "decode"),
        ("2^63", b"9223372036854775808", "decode"),
        ("negative", b"-1", "decode"),
        ("plus", b"+7", "decode"),
        ("hexadecimal", b"0x7", "decode"),
        ("semicolon", b"7;", "decode"),
        ("two words", b"7 7", "decode"),
        ("list that differs", b"2, 7", "decode"),
        ("list that differs, longer first", b"7, 2", "decode"),
        ("list of the same", b"7, 7", "ok decode"),
        ("list with an empty place", b",7", "decode"),
        ("list with an empty end", b"7,", "decode"),
        ("empty", b"", "decode"),
        ("letters behind", b"7a", "decode"),
        ("letters before", b"a7", "decode"),
        ("fraction", b"7.0", "decode"),
        ("exponent", b"7e0", "decode"),
        ("other digits", "\u0667".encode(), "decode"),
        ("NUL behind", b"7\x00", "decode"),
        ("NUL within", b"7\x007", "decode"),
        ("vertical tab", b"\x0b7", "decode"),
        ("zeros before", b"0000007", "ok"),
        ("white space around", b" \t7 \t", "ok"),
        ("one too many", b"8", "truncated connect"),
        ("a million too many", b"1000007", "truncated connect"),
        ("one too few", b"6", "decode"),
        ("nothing", b"0", "ok decode"),
    ]:
        head = answer(b"Content-Length: " + value, two)
        says("length: " + name, expect, head)
        if expect == "decode" and name != "one too few":
            says("length of a file: " + name, "decode truncated", head, to="file")
    for name, lines, expect in [
        ("doubled", [b"Content-Length: 7", b"Content-Length: 7"], "ok decode"),
        ("two that differ", [b"Content-Length: 7", b"Content-Length: 8"], "decode"),
        ("two that differ, longer first", [b"Content-Length: 8", b"Content-Length: 7"], "decode"),
        ("and an empty one", [b"Content-Length: 7", b"Content-Length:"], "decode"),
        ("with chunked", [b"Content-Length: 7", b"Transfer-Encoding: chunked"], "decode"),
        ("behind chunked", [b"Transfer-Encoding: chunked", b"Content-Length: 7"], "decode"),
        ("space before the colon", [b"Content-Length : 7"], "decode"),
        ("tab before the colon", [b"Content-Length\t: 7"], "decode"),
        ("folded", [b"Content-Length: 7", b" 0"], "decode"),
        ("folded from the start", [b"Content-Length:", b" 7"], "decode"),
    ]:
        body = b"7\r\n" + two + b"\r\n0\r\n\r\n" if b"chunked" in b"".join(lines) else two
        says("lengths: " + name, expect, answer(lines, body))
        says("lengths of a file: " + name, expect + " truncated", answer(lines, body), to="file")
    says("no length for a file", "truncated", answer(b"X: y", GOOD), to="file")
    says("length in HTTP/1.0", "ok", answer(length(GOOD), GOOD, version=b"HTTP/1.0"))


def chunks():
    def chunked(body, line=b"Transfer-Encoding: chunked"):
        return answer(line, body)

    whole = b"7\r\n" + GOOD + b"\r\n0\r\n\r\n"
    for name, line, expect in [
        ("as it should be", b"Transfer-Encoding: chunked", "ok"),
        ("in capitals", b"TRANSFER-ENCODING: CHUNKED", "ok"),
        ("twice in a list", b"Transfer-Encoding: chunked, chunked", "decode"),
        ("twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "decode"),
        ("identity before", b"Transfer-Encoding: identity, chunked", "decode"),
        ("unknown", b"Transfer-Encoding: xchunked", "decode"),
        ("quoted", b'Transfer-Encoding: "chunked"', "decode"),
        ("parameter", b"Transfer-Encoding: chunked;a=b", "decode"),
        ("empty", b"Transfer-Encoding:", "decode"),
        ("not the last", b"Transfer-Encoding: chunked, gzip", "decode"),
        ("vertical tab", b"Transfer-Encoding: \x0bchunked", "decode"),
        ("space before the colon", b"Transfer-Encoding : chunked", "decode"),
        ("folded", b"Transfer-Encoding:\r\n chunked", "decode"),
    ]:
        says("chunked: " + name, expect, chunked(whole, line))
    says("chunked: HTTP/1.0", "decode",
         answer(b"Transfer-Encoding: chunked", whole, version=b"HTTP/1.0"))
    for name, body, expect in [
        ("negative size", b"-7\r\n" + GOOD + b"\r\n0\r\n\r\n", "decode truncated connect"),
        ("plus", b"+7\r\n" + GOOD + b"\r\n0\r\n\r\n", "decode truncated connect"),
        ("0x", b"0x7\r\n" + GOOD + b"\r\n0\r\n\r\n", "decode truncated connect"),
        ("no digits", b"\r\n" + GOOD + b"\r\n0\r\n\r\n", "decode truncated connect"),
        ("letter", b"g\r\n" + GOOD + b"\r\n0\r\n\r\n", "decode truncated connect"),
        ("size of 2^64", b"10000000000000000\r\n" + GOOD, "decode truncated connect"),
        ("size of 2^64-1", b"ffffffffffffffff\r\n" + GOOD, "decode truncated connect too_large"),
        ("size of 2^63-1", b"7fffffffffffffff\r\n" + GOOD, "decode truncated connect too_large"),
        ("extension", b"7;a=b\r\n" + GOOD + b"\r\n0\r\n\r\n", "ok"),
        ("no line end behind the data", b"7\r\n" + GOOD + b"0\r\n\r\n", "decode truncated connect"),
        ("more data than said", b"6\r\n" + GOOD + b"\r\n0\r\n\r\n", "decode truncated connect"),
        ("less data than said", b"9\r\n" + GOOD + b"\r\n0\r\n\r\n", "decode truncated connect"),
        ("no last chunk", b"7\r\n" + GOOD + b"\r\n", "truncated connect"),
        ("cut in a chunk", b"7\r\n" + GOOD[:3], "truncated connect"),
        ("cut in the size", b"7\r\n" + GOOD + b"\r\n0", "truncated connect"),
        ("cut before the last line", b"7\r\n" + GOOD + b"\r\n0\r\n", "truncated connect"),
        ("trailers", b"7\r\n" + GOOD + b"\r\n0\r\nA: b\r\nContent-Length: 1\r\n\r\n", "ok"),
        ("100,000 of a byte", b"1\r\n \r\n" * 100000 + whole, "ok"),
    ]:
        says("chunks: " + name, expect, chunked(body))
        if "truncated" in expect:
            says("chunks of a file: " + name, expect, chunked(body), to="file")
    endless("chunks: endless extension", "too_large timeout decode truncated", chunked(b"7;"), b"a" * 65536)
    endless("chunks: endless size", "too_large timeout decode truncated", chunked(b""), b"0" * 65536)
    endless("chunks: endless trailers", "too_large timeout",
            chunked(b"7\r\n" + GOOD + b"\r\n0\r\n"), b"A: b\r\n" * 4096)
    endless("chunks: endless trailer", "too_large timeout truncated decode",
            chunked(b"7\r\n" + GOOD + b"\r\n0\r\nA: "), b"b" * 65536)
    endless("chunks: endless, of a byte", "too_large timeout", chunked(b""), b"1\r\n \r\n" * 8192)


def status_lines():
    for name, line, expect in [
        ("no reason", b"HTTP/1.1 200", "ok"),
        ("glued", b"HTTP/1.1 200OK", "ok decode connect"),
        ("two spaces", b"HTTP/1.1  200 OK", "ok decode connect"),
        ("version 9.9", b"HTTP/9.9 200 OK", "decode"),
        ("version 2", b"HTTP/2 200", "decode"),
        ("version 2, as libcurl writes it", b"HTTP/2 200 ", "decode"),
        ("version 2.0", b"HTTP/2.0 200 OK", "decode"),
        ("version 3", b"HTTP/3 200", "decode"),
        ("no version", b"HTTP/ 200 OK", "decode connect"),
        ("two digits", b"HTTP/1.1 20 OK", "decode connect http"),
        ("four digits", b"HTTP/1.1 2000 OK", "decode connect http"),
        ("zero", b"HTTP/1.1 000 OK", "decode connect http"),
        ("999", b"HTTP/1.1 999 What", "http"),
        ("600", b"HTTP/1.1 600 What", "http"),
        ("negative", b"HTTP/1.1 -200 OK", "decode connect http"),
        ("letters", b"HTTP/1.1 abc OK", "decode connect http"),
        ("small letters", b"http/1.1 200 ok", "decode connect"),
        ("another protocol", b"ICY 200 OK", "decode connect"),
        ("NUL", b"HTTP/1.1 200 O\x00K", "ok decode connect"),
        ("escape sequences", b"HTTP/1.1 500 \x1b[2J\x1b]0;owned\x07", "http"),
    ]:
        says("status line: " + name, expect, line + b"\r\n" + length(GOOD) + b"\r\n\r\n" + GOOD)
    says("status line: none, HTTP/0.9", "decode connect", GOOD)
    says("status line: a blank line before", "decode connect ok", b"\r\n" + answer(length(GOOD), GOOD))
    says("nothing", "connect", b"")
    says("a greeting of SSH", "decode connect", b"SSH-2.0-OpenSSH_9.2\r\n")
    says("a TLS record", "decode connect", b"\x15\x03\x01\x00\x02\x02\x46")
    says("bytes of every kind", "decode connect", bytes(range(256)) * 16)
    endless("endless status line", "too_large timeout decode connect", b"HTTP/1.1 200 ", b"K" * 65536)
    endless("endless bytes", "too_large timeout decode connect", b"", b"\x00\xff" * 32768)
    endless("endless blank lines", "too_large timeout decode connect", b"", b"\r\n" * 32768)


def interim():
    final = answer(length(GOOD), GOOD)
    says("1xx: 100 before", "ok", b"HTTP/1.1 100 Continue\r\n\r\n" + final)
    says("1xx: ten of 102", "ok", b"HTTP/1.1 102 Processing\r\n\r\n" * 10 + final)
    says("1xx: 103 with headers", "ok",
         b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 99\r\n\r\n" + final)
    says("1xx: 100 alone", "connect truncated decode http", b"HTTP/1.1 100 Continue\r\n\r\n")
    says("1xx: 101 that nobody asked for", "http decode connect truncated",
         b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + b"\x00" * 64)
    says("1xx: 199", "ok http", b"HTTP/1.1 199 What\r\n\r\n" + final)
    endless("1xx: endless", "too_large timeout", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2048)
    endless("1xx: endless, with headers", "too_large timeout", b"",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1024)
    endless("1xx: endless, slowly", "timeout", b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.02)


def headers():
    many = [b"a: b"] * 1500
    says("headers: 1,500 of one name", "ok", answer([length(GOOD)] + many, GOOD))
    says("headers: 20,000 short ones", "too_large", answer([length(GOOD)] + [b"a:"] * 20000, GOOD))
    says("headers: 5,000 names", "too_large",
         answer([length(GOOD)] + [b"x-%d: 1" % i for i in range(5000)], GOOD))
    says("headers: one of 200 kB", "too_large ok", answer([length(GOOD), b"a: " + b"b" * 200000], GOOD))
    says("headers: one of 400 kB", "too_large", answer([length(GOOD), b"a: " + b"b" * 400000], GOOD))
    says("headers: one of 90 kB", "ok", answer([length(GOOD), b"a: " + b"b" * 90000], GOOD))
    says("headers: no colon", "ok decode", answer([length(GOOD), b"what is this"], GOOD))
    says("headers: no name", "ok decode", answer([length(GOOD), b": x"], GOOD))
    says("headers: NUL in a value", "ok decode", answer([length(GOOD), b"a: b\x00c"], GOOD))
    says("headers: NUL in a name", "ok decode connect", answer([length(GOOD), b"a\x00b: c"], GOOD))
    says("headers: carriage returns", "ok decode", answer([length(GOOD), b"a: b\rc: d"], GOOD))
    says("headers: folded", "ok decode", answer([length(GOOD), b"a: b", b"  c"], GOOD))
    says("headers: line feeds only", "ok decode",
         b"HTTP/1.1 200 OK\nContent-Length: 7\n\n" + GOOD)
    says("headers: bytes above 127", "ok", answer([length(GOOD), b"a: \xff\xfe\x80"], GOOD))
    says("headers: cut in one", "connect truncated", b"HTTP/1.1 200 OK\r\nContent-Le")
    says("headers: cut between two", "connect truncated", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n")
    says("headers: request id of control characters", "http",
         answer([length(b"{}"), b"x-request-id: \x1b[31mred\x07\x9b", b"request-id: \x1b[2J"], b"{}",
                status=b"400 Bad"), terminal=True)
    endless("headers: endless", "too_large timeout", b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 8192)
    endless("headers: endless one", "too_large timeout", b"HTTP/1.1 200 OK\r\na: ", b"b" * 65536)
    endless("headers: endless name", "too_large timeout", b"HTTP/1.1 200 OK\r\n", b"b" * 65536)
    endless("headers: a byte at a time", "timeout", b"HTTP/1.1 200 OK\r\na: ", b"b", pause=0.02)
    endless("headers: endless folds", "too_large timeout decode", b"HTTP/1.1 200 OK\r\na: b\r\n",
            b" c\r\n" * 8192)


def bomb(mebibytes):
    return gzip.compress(b"0" * (mebibytes << 20), 9)


BOMB = bomb(100)


def bodies():
    encoded = b"Content-Encoding: gzip"

    def zipped(body, line=encoded, status=b"200 OK", more=()):
        return answer([line, length(body), *more], body, status=status)

    json = gzip.compress(GOOD)
    says("gzip: as it should be", "ok", zipped(json))
    says("gzip: 100 MB of zeros", "too_large", zipped(BOMB))
    says("gzip: cut", "truncated", zipped(json[:-9]))
    says("gzip: without its check", "truncated", zipped(json[:-8]))
    says("gzip: without the end of its check", "truncated", zipped(json[:-1]))
    says("gzip: a wrong check", "decode", zipped(json[:-8] + b"\0" * 8))
    says("gzip: that is none", "decode", zipped(GOOD))
    says("gzip: bytes behind", "ok decode truncated", zipped(json + b"behind"))
    says("gzip: its head only", "truncated", zipped(json[:10]))
    says("gzip: empty", "ok truncated decode", zipped(b""))
    says("gzip: within gzip", "too_large decode", zipped(gzip.compress(BOMB), b"Content-Encoding: gzip, gzip"))
    says("gzip: in ten layers", "ok decode", zipped(json, b"Content-Encoding: " + b", ".join([b"gzip"] * 10)))
    says("gzip: in 5,000 layers", "decode too_large ok",
         zipped(json, b"Content-Encoding: " + b", ".join([b"gzip"] * 5000)))
    says("encoding: unknown", "ok decode", answer([b"Content-Encoding: what", length(GOOD)], GOOD))
    says("encoding: br that nobody asked for", "ok decode", answer([b"Content-Encoding: br", length(GOOD)], GOOD))
    says("encoding: deflate", "ok decode", zipped(zlib.compress(GOOD), b"Content-Encoding: deflate"))
    says("an error's body of 100 MB, in gzip", "http", zipped(BOMB, status=b"500 No"), error_body=1 << 20)
    says("an error's body of 3 MB", "http", answer(length(b"x" * (3 << 20)), b"x" * (3 << 20), status=b"400 No"),
         error_body=1 << 20)
    endless("an error's endless body", "http timeout", answer(b"X: y", status=b"503 No"), b"x" * 65536,
            error_body=1 << 20)
    says("a body larger than is taken", "too_large", answer(b"Content-Length: 900000000000", b"x" * 65536))
    endless("an endless body", "too_large timeout", answer(b"X: y"), b"x" * 65536)
    endless("an endless body with a length", "too_large", answer(b"Content-Length: 9000000000000000000"), b"x" * 65536)
    endless("a byte at a time", "timeout", answer(b"Content-Length: 100000"), b" ", pause=0.02)

    @case("silence before the answer", "timeout")
    def silent(connection):
        stays(connection)

    @case("silence within the head", "timeout")
    def silent_head(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
        stays(connection)

    @case("silence within the body", "timeout")
    def silent_body(connection):
        connection.sendall(answer(b"Content-Length: 100", GOOD))
        stays(connection)

    @case("silence within a file", "timeout", to="file")
    def silent_file(connection):
        connection.sendall(answer(b"Content-Length: 100", GOOD))
        stays(connection)

    @case("reset before the answer", "connect")
    def reset_at_once(connection):
        reset(connection)

    @case("reset within the head", "connect")
    def reset_head(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
        time.sleep(0.05)
        reset(connection)

    @case("reset within the body", "truncated connect")
    def reset_body(connection):
        connection.sendall(answer(b"Content-Length: 100", GOOD))
        time.sleep(0.05)
        reset(connection)

    @case("reset behind a chunk", "truncated connect")
    def reset_chunk(connection):
        connection.sendall(answer(b"Transfer-Encoding: chunked", b"7\r\n" + GOOD + b"\r\n"))
        time.sleep(0.05)
        reset(connection)

    @case("a second answer that nobody asked for", "ok", again=True)
    def two_answers(connection):
        connection.sendall(answer(length(GOOD), GOOD) + answer(length(b'{"evil":true}'), b'{"evil":true}'))
        stays(connection)


def statuses():
    for status, expect in [
        (b"204 No", "ok"), (b"205 Reset", "ok decode"), (b"206 Part", "ok decode truncated"), (b"304 Same", "http"),
        (b"401 Who", "auth"), (b"403 No", "auth"), (b"407 Proxy", "http auth"), (b"416 Range", "http"),
        (b"418 Tea", "http"), (b"451 Law", "http"),
    ]:
        says("status " + status.decode(), expect, answer(length(GOOD), GOOD, status=status))
    for name, value in [("1e99", b"1e99"), ("negative", b"-5"), ("long digits", b"9" * 300), ("words", b"soon"),
                        ("a far date", b"Fri, 31 Dec 9999 23:59:59 GMT"), ("a broken date", b"Xxx, 99 Zzz 0000 99:99:99 GMT"),
                        ("NaN", b"nan"), ("infinite", b"inf")]:
        says("retry-after: " + name, "rate_limit timeout",
             answer([length(b"{}"), b"Retry-After: " + value], b"{}", status=b"429 Slow"), retries=1)
    for name, where in [("itself", b"/again"), ("a file", b"file:///etc/passwd"), ("ftp", b"ftp://127.0.0.1/"),
                        ("user and password", b"http://user:word@127.0.0.1:1/"), ("a script", b"javascript:alert(1)"),
                        ("control characters", b"http://127.0.0.1/\x1b[2J\x07"), ("nothing", b""),
                        ("300 kB of it", b"http://127.0.0.1/" + b"a" * 90000)]:
        says("redirect to " + name, "http auth connect",
             answer([length(b"{}"), b"Location: " + where], b"{}", status=b"302 There"), terminal=True)

    @case("the credential comes back", "auth", secret=True)
    def echo(connection):
        body = b'{"error":{"message":"' + connection.request.replace(b"\r\n", b" ").replace(b'"', b"'") + b'"}}'
        connection.sendall(answer([length(body), b"X-Echo: " + connection.authorization], body, status=b"401 Who"))

    @case("the credential comes back in an answer", "ok", secret=True)
    def echo_ok(connection):
        body = b'{"you":"' + connection.authorization + b'"}'
        connection.sendall(answer([length(body), b"X-Echo: " + connection.authorization], body))


def documents():
    def json(name, expect, body, **options):
        says("JSON: " + name, expect, answer([length(body), b"Content-Type: application/json"], body), **options)

    def json_zip(name, expect, body, **options):
        packed = gzip.compress(body, 9)
        says("JSON: " + name, expect,
             answer([length(packed), b"Content-Type: application/json", b"Content-Encoding: gzip"], packed), **options)

    json("100,000 arrays in one another", "decode", b"[" * 100000)
    json("600 arrays in one another", "decode", b"[" * 600 + b"]" * 600)
    json("nothing closed", "decode", b'{"a":[1,2')
    json("a byte order mark", "decode ok", b"\xef\xbb\xbf" + GOOD)
    json("broken UTF-8", "decode", b'{"a":"\xff\xfe"}')
    json("a lone surrogate", "decode", b'{"a":"\\ud800"}')
    json("NUL in a text", "decode", b'{"a":"\x00"}')
    json("bytes behind", "decode", GOOD + b"x")
    json("NaN", "decode", b'{"a":NaN}')
    json("an exponent of 999999", "decode ok", b'{"a":1e999999}')
    json("a number of 1 MB", "decode ok", b'{"a":' + b"9" * (1 << 20) + b"}")
    json("a fraction of 1 MB", "decode ok", b'{"a":0.' + b"1" * (1 << 20) + b"}")
    json("a key of 1 MB", "ok", b'{"' + b"k" * (1 << 20) + b'":1}')
    json("100,000 keys", "ok", b"{" + b",".join(b'"k%d":1' % i for i in range(100000)) + b"}")
    json("a key twice", "ok", b'{"a":1,"a":2}')
    json("keys that hash alike", "ok", b"{" + b",".join(b'"%s%d":1' % (b"A" * 200, i) for i in range(5000)) + b"}")
    json_zip("3.9 million empty arrays", "decode too_large", b"[" + b"[]," * 1300000 + b"[]]", values=True, heavy=True)
    json_zip("3.9 million empty objects", "decode too_large", b"[" + b"{}," * 1300000 + b"{}]", values=True, heavy=True)
    json_zip("arrays that say how large they are", "decode too_large ok",
             b'[' + b'{"a":{"b":[]}},' * 200000 + b"1]", values=True, heavy=True)
    json("the wrong document", "ok", b'"text"')
    json("null", "ok decode", b"null")
    json("no document", "ok decode", b"")
    json("white space", "decode ok", b" " * 100000)


for part in (framing, chunks, status_lines, interim, headers, bodies, statuses, documents):
    part()
