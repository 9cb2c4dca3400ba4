"""What each path answers, for HTTP/1.1 and, where that makes sense there, HTTP/2."""

import base64
import gzip
import http
import itertools
import json
import time
import urllib.parse
import zlib

PATHS = {}


class Request:
    def __init__(self, method, target, version, headers, body=b""):
        self.method, self.target, self.version, self.headers, self.body = method, target, version, headers, body
        self.path, _, query = target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True, encoding="latin-1"))

    def header(self, name):
        return next((value for found, value in self.headers if found.lower() == name), "")

    def number(self, name, default):
        return int(self.query.get(name, default))

    def described(self):
        return {"method": self.method, "target": self.target, "version": self.version, "headers": self.headers,
                "body": base64.b64encode(self.body).decode()}


class Answer:
    """`framing` says how HTTP/1.1 tells where the body ends: length, chunked or close. `body` is bytes or, but for
    length, an iterable of bytes."""

    def __init__(self, status=200, headers=(), body=b"", framing="length", trailers=()):
        self.status, self.headers, self.body, self.framing = status, list(headers), body, framing
        self.trailers = list(trailers)

    def may_have_body(self):
        return self.status >= 200 and self.status not in (204, 304)

    def parts(self):
        return [self.body] if isinstance(self.body, bytes) else self.body


class Raw:
    """Bytes as they go to the wire, then the end of the connection. Only HTTP/1.1 can say them."""

    def __init__(self, *parts):
        self.parts = parts if len(parts) != 1 or isinstance(parts[0], bytes) else parts[0]


class Drop:
    """Closes without an answer."""


def path(name):
    def register(function):
        PATHS[name] = function
        return function

    return register


def answer(request):
    first = "/" + request.path.split("/")[1] if request.path.startswith("/") else request.path
    found = PATHS.get(first)
    return found(request) if found else Answer(404, [TEXT], b"no such path\n")


def status_line(status):
    phrases = {known.value: known.phrase for known in http.HTTPStatus}
    return b"HTTP/1.1 %d %b\r\n" % (status, phrases.get(status, "Whatever").encode())


TEXT = (b"Content-Type", b"text/plain; charset=utf-8")
OK = status_line(200)
ENDLESS = itertools.repeat(b"x" * 65536)


def json_answer(value):
    return Answer(200, [(b"Content-Type", b"application/json")], json.dumps(value).encode())


# --- As it should be ---------------------------------------------------------------------------------------------


@path("/hello")
def hello(_):
    headers = [TEXT, (b"X-Twice", b"one"), (b"X-Twice", b"two"), (b"x-lower-case", b"yes")]
    return Answer(200, headers, b"hello\n")


@path("/echo")
def echo(request):
    return json_answer({"path": request.path, "query": request.query, **request.described()})


@path("/status")
def status(request):
    code = int(request.path.rsplit("/", 1)[1])
    return Answer(code, [TEXT], b"status %d\n" % code)


@path("/auth")
def auth(request):
    if not request.header("authorization"):
        return Answer(401, [TEXT, (b"WWW-Authenticate", b'Basic realm="tests"')], b"who are you?\n")
    return Answer(200, [TEXT], request.header("authorization").encode("latin-1") + b"\n")


@path("/cookie")
def cookie(_):
    headers = [TEXT, (b"Set-Cookie", b"first=1; Path=/"), (b"Set-Cookie", b"second=2; HttpOnly")]
    return Answer(200, headers, b"cookies\n")


@path("/altsvc")
def altsvc(request):
    value = request.query.get("value", 'h2=":1"; ma=3600')
    return Answer(200, [TEXT, (b"Alt-Svc", value.encode("latin-1"))], b"elsewhere\n")


@path("/hsts")
def hsts(_):
    headers = [TEXT, (b"Strict-Transport-Security", b"max-age=31536000; includeSubDomains")]
    return Answer(200, headers, b"https\n")


@path("/chunked")
def chunked(_):
    return Answer(200, [TEXT], [b"first ", b"second ", b"third\n"], "chunked")


@path("/trailers")
def trailers(_):
    headers = [TEXT, (b"Trailer", b"X-Sum")]
    return Answer(200, headers, [b"body\n"], "chunked", [(b"X-Sum", b"42")])


@path("/no-length")
def no_length(_):
    return Answer(200, [TEXT], b"until the end\n", "close")


@path("/early-hints")
def early_hints(_):
    return Raw(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
               + OK + b"Content-Length: 6\r\nX-Final: yes\r\n\r\nfinal\n")


@path("/gzip")
def gzipped(request):
    return compressed(b"gzip", gzip.compress(b"a" * request.number("n", 1000)))


@path("/deflate")
def deflated(request):
    return compressed(b"deflate", zlib.compress(b"a" * request.number("n", 1000)))


def compressed(coding, body):
    return Answer(200, [TEXT, (b"Content-Encoding", coding)], body)


# --- Redirects ---------------------------------------------------------------------------------------------------


@path("/redirect")
def redirect(request):
    return moved(request, request.query.get("to"))


@path("/location-raw")
def location_raw(request):
    return moved(request, request.query["value"])


@path("/redirect-loop")
def redirect_loop(request):
    """n more hops, and then an end; without n for ever."""
    if "n" not in request.query:
        return moved(request, "/redirect-loop")
    hops = request.number("n", 0)
    return moved(request, f"/redirect-loop?n={hops - 1}") if hops > 0 else Answer(200, [TEXT], b"the end\n")


def moved(request, location):
    """Without a location if that is None; the body never ends if the query has `endless`."""
    headers = [TEXT] if location is None else [TEXT, (b"Location", location.encode("latin-1"))]
    if "endless" in request.query:
        return Answer(request.number("code", 302), headers, ENDLESS, "close")
    return Answer(request.number("code", 302), headers, b"moved\n")


# --- Slow, large and without end ---------------------------------------------------------------------------------


def pause(request, default):
    time.sleep(request.number("ms", default) / 1000)


@path("/slow")
def slow(request):
    pause(request, 1000)
    return Answer(200, [TEXT], b"at last\n")


@path("/drip")
def drip(request):
    def drops():
        while True:
            yield b"."
            pause(request, 100)

    return Answer(200, [TEXT], drops(), "close")


@path("/headers-drip")
def headers_drip(request):
    def drops():
        yield OK + b"X-Drip: "
        while True:
            yield b"."
            pause(request, 100)

    return Raw(drops())


@path("/endless")
def endless(_):
    return Answer(200, [TEXT], ENDLESS, "close")


@path("/endless-hints")
def endless_hints(_):
    return Raw(itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" * 100))


@path("/endless-headers")
def endless_headers(_):
    return Raw(itertools.chain([OK], itertools.repeat(b"X-More: and more\r\n" * 1000)))


@path("/endless-trailers")
def endless_trailers(_):
    start = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nbody\n\r\n0\r\n"
    return Raw(itertools.chain([start], itertools.repeat(b"X-More: and more\r\n" * 1000)))


@path("/big")
def big(request):
    size, block = request.number("n", 1 << 20), b"x" * 65536

    def blocks():
        for start in range(0, size, len(block)):
            yield block[: size - start]

    return Answer(200, [TEXT, (b"Content-Length", b"%d" % size)], blocks(), "close")


@path("/bomb")
def bomb(request):
    """10 GB of zeros; with layers=2 the gzip of such a gzip. The checksum at the end is wrong: who gets that far?"""
    layers = request.number("layers", 1)
    parts = bomb_parts()
    if layers == 2:
        outer = zlib.compressobj(9, zlib.DEFLATED, 31)
        parts = [b"".join(outer.compress(part) for part in parts) + outer.flush()]
    return Answer(200, [TEXT, (b"Content-Encoding", b", ".join([b"gzip"] * layers))], parts, "close")


def bomb_parts():
    block = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = block.compress(bytes(1 << 20)) + block.flush(zlib.Z_FULL_FLUSH)  # stands alone: may be repeated
    yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    for _ in range(10 * 1024 // 16):
        yield megabyte * 16
    yield zlib.compressobj(9, zlib.DEFLATED, -15).flush() + bytes(8)


@path("/huge-header")
def huge_header(request):
    return Answer(200, [TEXT, (b"X-Huge", b"h" * request.number("n", 1 << 20))], b"huge\n")


@path("/many-headers")
def many_headers(request):
    many = [(b"X-Many-%d" % i, b"value") for i in range(request.number("n", 10000))]
    return Answer(200, [TEXT] + many, b"many\n")


# --- Lies and nonsense -------------------------------------------------------------------------------------------


@path("/lies-long")
def lies_long(_):
    return Raw(OK + b"Content-Length: 1000\r\n\r\nonly this")


@path("/lies-short")
def lies_short(_):
    return Raw(OK + b"Content-Length: 4\r\n\r\nlonger than it says")


@path("/bad-chunk")
def bad_chunk(_):
    return Raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nright\r\nnonsense\r\n")


@path("/bad-gzip")
def bad_gzip(request):
    """how=garbage, truncated or checksum."""
    whole = gzip.compress(b"b" * 100000)
    bodies = {"garbage": b"this is no gzip at all\n", "truncated": whole[:-20], "checksum": whole[:-8] + bytes(8)}
    return compressed(b"gzip", bodies[request.query.get("how", "garbage")])


@path("/unknown-encoding")
def unknown_encoding(_):
    return compressed(b"x-unheard-of", b"as it is\n")


@path("/close")
def close(_):
    return Drop()


@path("/garbage")
def garbage(_):
    return Raw(b"\0\1\2this is not HTTP\xff\r\n\r\n")


@path("/http09")
def http09(_):
    return Raw(b"<html>no status line, no headers</html>\n")


@path("/switch")
def switch(_):
    return Raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nother bytes")


@path("/raw")
def raw(request):
    """What the query's `bytes` holds (percent-encoded), as it is."""
    return Raw(request.query["bytes"].encode("latin-1"))
