#!/usr/bin/python3
"""The servers that the integration tests talk to: see README.md.

Prints one line of JSON when all of them listen, and ends when its standard input is closed, so that a test that dies
leaves nothing behind.
"""

import argparse
import json
import os
import signal
import socket
import sys
import tempfile
import threading

import certificates
import dns_server
import http_server
import listen
import record
import smtp_server
import tls_server


def main():
    arguments = parse_arguments()
    threading.stack_size(512 * 1024)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with tempfile.TemporaryDirectory(prefix="servers-") as directory:
        addresses = arguments.address or loopback_addresses()
        made = certificates.Certificates(directory, addresses)
        listeners = listen.Listeners(addresses, record.Record(), dict(arguments.port))
        for start in [http_server.start, tls_server.start, smtp_server.start]:
            start(listeners, made)
        dns_server.start(listeners)
        listen.in_background(listeners.run)
        names = ["ca", "other_ca", "self_signed_ca"]
        paths = {"directory": directory, **{name: made.path(name) for name in names}}
        print(json.dumps({"addresses": addresses, "ports": listeners.ports, "paths": paths}), flush=True)
        sys.stdin.buffer.read()
    os._exit(0)  # threads may be sending what never ends


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", action="append",
                        help="to listen on, once or more often; 127.0.0.1 and, if there is IPv6, ::1 without it")
    parser.add_argument("--port", action="append", default=[], type=pinned_port, metavar="NAME=PORT",
                        help="the port of one server, such as dns=53; the others take what is free")
    return parser.parse_args()


def pinned_port(text):
    name, _, port = text.partition("=")
    return name, int(port)


def loopback_addresses():
    """Names such as localhost lead to both families: where IPv6 is there, nobody else may have the port on it."""
    try:
        listen.bound_socket("::1", 0, socket.SOCK_STREAM).close()
    except OSError:
        return ["127.0.0.1"]
    return ["127.0.0.1", "::1"]


if __name__ == "__main__":
    main()
