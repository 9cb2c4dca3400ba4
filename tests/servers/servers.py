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
        made = certificates.Certificates(directory, arguments.address)
        listeners = listen.Listeners(addresses(arguments.address), record.Record(), dict(arguments.port))
        for start in [http_server.start, tls_server.start, smtp_server.start]:
            start(listeners, made)
        dns_server.start(listeners)
        listen.in_background(listeners.run)
        names = ["ca", "other_ca", "self_signed_ca"]
        print(json.dumps({"address": arguments.address, "ipv6": len(listeners.addresses) > 1, "ports": listeners.ports,
                          "paths": {"directory": directory, **{name: made.path(name) for name in names}}}), flush=True)
        sys.stdin.buffer.read()
    os._exit(0)  # threads may be sending what never ends


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1", help="to listen on; with the default, also on [::1]")
    parser.add_argument("--port", action="append", default=[], type=pinned_port, metavar="NAME=PORT",
                        help="the port of one server, such as dns=53; the others take what is free")
    return parser.parse_args()


def pinned_port(text):
    name, _, port = text.partition("=")
    return name, int(port)


def addresses(first):
    """Names such as localhost lead to both families: where IPv6 is there, nobody else may have the port on it."""
    if first != "127.0.0.1":
        return [first]
    try:
        listen.bound_socket("::1", 0, socket.SOCK_STREAM).close()
    except OSError:
        return [first]
    return [first, "::1"]


if __name__ == "__main__":
    main()
