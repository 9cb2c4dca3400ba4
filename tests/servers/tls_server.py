"""TCP and TLS without a protocol above, well behaved and not."""

import contextlib
import socket
import ssl
import struct

import listen


def start(listeners, certificates):
    listeners.tcp("tcp", echo)
    listeners.tcp("tcp4", echo, addresses=listeners.addresses[:1])
    listeners.tcp("tcp_greets", greet)
    listeners.tcp("tcp_closes", lambda connection: None)
    listeners.tcp("tcp_resets", read_and_reset)
    listeners.tcp("tcp_silent", listen.wait_for_end)
    listeners.tcp("tcp_endless", send_endlessly)
    listeners.bind("closed")  # taken by us, so that nobody else listens there; without listen() it refuses
    fill_backlog(listeners)

    listeners.tcp("tls", echo, certificates.context("good"))
    for name in ["expired", "not_yet_valid", "self_signed", "untrusted", "wrong_name", "common_name_only"]:
        listeners.tcp("tls_" + name, echo, certificates.context(name))
    for name, version in [("tls_1_1", ssl.TLSVersion.TLSv1_1), ("tls_1_2", ssl.TLSVersion.TLSv1_2),
                          ("tls_1_3", ssl.TLSVersion.TLSv1_3)]:
        listeners.tcp(name, echo, certificates.context("good", lowest=version, highest=version))
    listeners.tcp("tls_silent", listen.wait_for_end)
    listeners.tcp("tls_closes", read_and_close)
    listeners.tcp("tls_garbage", answer_garbage)
    listeners.tcp("tls_requests_hello", request_hello_endlessly)
    listeners.tcp("tls_greets", greet, certificates.context("good"))
    listeners.tcp("tls_cut", greet_and_cut, certificates.context("good"))


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)
    listen.close_politely(connection)


def greet(connection):
    connection.sendall(b"hello\n")
    listen.close_politely(connection)


def greet_and_cut(connection):
    """The end of TCP without the end of TLS: what a man in the middle can do."""
    connection.sendall(b"hello\n")
    connection.shutdown(socket.SHUT_WR)
    listen.wait_for_end(connection)


def send_endlessly(connection):
    block = b"x" * 65536
    while True:
        connection.sendall(block)


def read_and_reset(connection):
    connection.recv(1)  # at once, it could hit the client while it connects
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_and_close(connection):
    connection.recv(65536)  # the client's first message


def answer_garbage(connection):
    connection.recv(65536)
    connection.sendall(b"this is not TLS\r\n" * 4)
    listen.close_politely(connection)


def request_hello_endlessly(connection):
    """HelloRequests in answer to a ClientHello: clients skip them, 4096 a record."""
    connection.recv(65536)
    block = (b"\x16\x03\x03\x40\x00" + bytes(0x4000)) * 16
    while True:
        connection.sendall(block)


def fill_backlog(listeners):
    """A socket that listens with a full queue: the kernel drops whoever comes next, who waits in vain."""
    for listener in listeners.bind("full"):
        listener.listen(0)
        filler = socket.socket(listener.family)
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            filler.connect(listener.getsockname())
        listeners.kept.append(filler)
