"""DNS over UDP and TCP on one port. The names stand in zone.py."""

import contextlib
import socket
import struct

import dns.exception
import dns.message
import dns.rdatatype

import listen
import zone


def start(listeners):
    names = zone.Zone(listeners.addresses[0])

    def answer(wire, transport):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        asked_before = listeners.record.count_query(name, kind, transport)
        return lambda: names.answer(query, name, kind, transport, asked_before)

    listeners.record.servers.append("dns")
    kinds = [socket.SOCK_DGRAM, socket.SOCK_STREAM]
    for source in listeners.bind("dns", kinds):
        if source.type == socket.SOCK_STREAM:
            listeners.accept_from("dns", source, lambda connection: serve_tcp(connection, answer))
        else:
            listeners.take_from(source, lambda source=source: take_datagram(source, answer))


def take_datagram(source, answer):
    """Counts at once, answers when it likes to."""
    wire, client = source.recvfrom(65535)
    with contextlib.suppress(dns.exception.DNSException, IndexError):
        make = answer(wire, "udp")
        listen.in_background(send_datagrams, source, client, make)


def send_datagrams(source, client, make):
    for datagram in make():
        with contextlib.suppress(OSError):
            source.sendto(datagram, client)


def serve_tcp(connection, answer):
    reader = connection.makefile("rb")
    while len(size := reader.read(2)) == 2:
        wire = reader.read(struct.unpack("!H", size)[0])
        with contextlib.suppress(dns.exception.DNSException, IndexError):
            for message in answer(wire, "tcp")():
                connection.sendall(struct.pack("!H", len(message)) + message)
