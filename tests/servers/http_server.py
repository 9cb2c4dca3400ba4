"""HTTP/1.1, every byte under control. The paths stand in http_paths.py."""

import itertools

import http2_server
import http_paths
import listen
from http_paths import Answer, Drop, Raw, Request

connection_numbers = itertools.count(1)


def start(listeners, certificates):
    record = listeners.record
    for name in ["http", "http_other"]:
        listeners.tcp(name, lambda connection, name=name: serve(connection, name, record))
    for name, certificate in [("https", "good"), ("https_expired", "expired"), ("https_self_signed", "self_signed"),
                              ("https_untrusted", "untrusted"), ("https_wrong_name", "wrong_name")]:
        listeners.tcp(name, lambda connection, name=name: serve(connection, name, record),
                      certificates.context(certificate, ["http/1.1"]))
    listeners.tcp("http2", lambda connection: serve_either(connection, "http2", record),
                  certificates.context("good", ["h2", "http/1.1"]))
    for name in ["http2_updates", "http2_goodbyes"]:
        listeners.tcp(name, lambda connection, name=name: http2_server.flood(connection, name),
                      certificates.context("good", ["h2"]))
    start_control(listeners)


def start_control(listeners):
    def answer(request):
        if (request.method, request.path) == ("GET", "/log"):
            return http_paths.json_answer(listeners.settled(listeners.record.snapshot))
        if (request.method, request.path) == ("POST", "/reset"):
            listeners.settled(listeners.record.reset)
            return Answer()
        return Answer(404)

    [listener] = listeners.bind("control", addresses=["127.0.0.1"])
    listeners.accept_from("control", listener, lambda connection: serve_with(connection, answer), counted=False)


def serve_either(connection, name, record):
    if connection.selected_alpn_protocol() == "h2":
        http2_server.serve(connection, name, record, next(connection_numbers))
    else:
        serve(connection, name, record)


def serve(connection, name, record):
    number = next(connection_numbers)

    def answer(request):
        record.add("requests", {"server": name, "connection": number, **request.described()})
        return http_paths.answer(request)

    serve_with(connection, answer)


def serve_with(connection, answer):
    """One request after the other, until one side wants to close."""
    reader = connection.makefile("rb")
    while request := read_request(connection, reader):
        answered = answer(request)
        if isinstance(answered, Drop):
            return
        if isinstance(answered, Raw):
            for part in answered.parts:
                connection.sendall(part)
            break
        send(connection, request, answered)
        if answered.framing == "close" or request.header("connection").lower() == "close":
            break
    listen.close_politely(connection)


def read_request(connection, reader):
    line = reader.readline(65536)
    if not line.endswith(b"\r\n"):
        return None
    method, target, version = line.decode("latin-1").rstrip("\r\n").split(" ", 2)
    headers = []
    while (line := reader.readline(1 << 20)) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
        headers.append([name, value.strip(" \t")])
    request = Request(method, target, version, headers)
    if request.header("expect").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.body = read_body(request, reader)
    return request


def read_body(request, reader):
    if request.header("transfer-encoding").lower() != "chunked":
        return reader.read(int(request.header("content-length") or 0))
    body = b""
    while size := int(reader.readline(100), 16):
        body += reader.read(size)
        reader.readline(3)
    while reader.readline(65536) not in (b"\r\n", b""):
        pass
    return body


def send(connection, request, answer):
    connection.sendall(head(answer))
    if request.method == "HEAD" or not answer.may_have_body():
        return
    if answer.framing == "length":
        connection.sendall(answer.body)
        return
    for part in answer.parts():
        connection.sendall(b"%x\r\n%b\r\n" % (len(part), part) if answer.framing == "chunked" else part)
    if answer.framing == "chunked":
        trailers = b"".join(b"%b: %b\r\n" % trailer for trailer in answer.trailers)
        connection.sendall(b"0\r\n" + trailers + b"\r\n")


def head(answer):
    headers = list(answer.headers)
    if answer.framing == "chunked":
        headers.append((b"Transfer-Encoding", b"chunked"))
    elif answer.framing == "close":
        headers.append((b"Connection", b"close"))
    elif answer.may_have_body():
        headers.append((b"Content-Length", b"%d" % len(answer.body)))
    return http_paths.status_line(answer.status) + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n"
