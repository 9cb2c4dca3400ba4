"""Sockets that listen, and one thread that takes what arrives.

That thread counts under the record's lock; whoever looks at the record waits until no socket has anything that is not
counted (`settled`). So a connection that a client saw succeed is never missing.
"""

import contextlib
import select
import socket
import ssl
import threading


class Listeners:
    def __init__(self, addresses, record, pinned):
        self.addresses = addresses
        self.record = record
        self.pinned = pinned  # port by name of server, for those that must have a certain one
        self.ports = {}
        self.takers = {}  # by descriptor: called when something arrived
        self.kept = []  # sockets that nobody reads

    def bind(self, name, kinds=(socket.SOCK_STREAM,), addresses=None):
        """Sockets on every address, all with the same port."""
        for _ in range(100):
            port, sockets = self.pinned.get(name, 0), []
            try:
                for address in addresses or self.addresses:
                    for kind in kinds:
                        sockets.append(bound_socket(address, port, kind))
                        port = sockets[-1].getsockname()[1]
            except OSError:
                for taken in sockets:
                    taken.close()
                if name in self.pinned:
                    raise
                continue  # somebody has that port on another address
            self.ports[name] = port
            self.kept.extend(sockets)
            return sockets
        raise OSError(f"no port for {name}")

    def tcp(self, name, serve, context=None, addresses=None):
        """Calls serve(connection) on a thread for each connection, after the TLS handshake if there is a context."""
        self.record.servers.append(name)
        for listener in self.bind(name, addresses=addresses):
            self.accept_from(name, listener, serve, context)

    def accept_from(self, name, listener, serve, context=None, counted=True):
        def take():
            connection, peer = listener.accept()
            if counted:
                self.record.connected(name, connection.getsockname()[0], peer[0])
            connection.setblocking(True)
            in_background(serve_connection, connection, serve, context)

        if context:
            note_handshakes(context, name, self.record)
        listener.listen(1024)
        self.take_from(listener, take)

    def take_from(self, source, take):
        source.setblocking(False)
        self.takers[source.fileno()] = take

    def poll(self):
        poll = select.poll()
        for descriptor in self.takers:
            poll.register(descriptor, select.POLLIN)
        return poll

    def run(self):
        poll = self.poll()
        while True:
            ready = poll.poll()
            with self.record.lock:
                for descriptor, _ in ready:
                    with contextlib.suppress(OSError):  # it went away again
                        self.takers[descriptor]()

    def settled(self, look):
        """look(), at a moment when all that arrived is counted."""
        poll = self.poll()
        while True:
            with self.record.lock:
                if not poll.poll(0):
                    return look()
            poll_again_soon()


def poll_again_soon():
    threading.Event().wait(0.001)  # lets the other thread have the lock


def bound_socket(address, port, kind):
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    try:
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if port and kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def in_background(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def serve_connection(connection, serve, context):
    with contextlib.suppress(OSError):  # clients of these servers leave early; ssl.SSLError is one of them
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                connection = start_tls(connection, context)
            serve(connection)
        finally:
            connection.close()


def close_politely(connection):
    """Closes so that the client gets all that was sent: with unread input a plain close would reset the connection."""
    connection.settimeout(5)
    if isinstance(connection, ssl.SSLSocket):
        connection.unwrap()
    else:
        connection.shutdown(socket.SHUT_WR)
        wait_for_end(connection)


def wait_for_end(connection):
    while connection.recv(65536):
        pass


def note_handshakes(context, server, record):
    """Notes each as soon as the client begins; start_tls() adds how it ended."""

    def note(connection, name, _):
        connection.handshake = {"server": server, "server_name": name, "complete": False}
        record.add("tls", connection.handshake)

    context.sni_callback = note


def start_tls(connection, context):
    secure = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    secure.do_handshake()
    secure.handshake.update(complete=True, version=secure.version(), protocol=secure.selected_alpn_protocol(),
                            resumed=secure.session_reused)
    return secure
