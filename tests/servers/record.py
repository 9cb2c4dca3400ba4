"""What reached the servers, so that a test can say that something did, or that nothing did."""

import collections
import threading


class Record:
    def __init__(self):
        self.lock = threading.RLock()
        self.servers = []
        self.reset()

    def reset(self):
        with self.lock:
            self.connections = collections.Counter()
            self.asked = collections.Counter()  # DNS: how often a name was asked, by (name, type)
            self.lists = {"accepted": [], "requests": [], "queries": [], "smtp": [], "tls": []}

    def connected(self, server, address, peer):
        with self.lock:
            self.connections[server] += 1
            self.add("accepted", {"server": server, "address": address, "peer": peer})

    def add(self, kind, what):
        with self.lock:
            self.lists[kind].append(what)

    def count_query(self, name, kind, transport):
        """Returns how often this name was asked for this type before."""
        with self.lock:
            before = self.asked[name, kind]
            self.asked[name, kind] += 1
            self.add("queries", {"name": name, "type": kind, "transport": transport})
            return before

    def snapshot(self):
        with self.lock:
            names = collections.Counter()
            for (name, _), count in self.asked.items():
                names[name] += count
            return {
                "connections": {name: self.connections[name] for name in self.servers},
                "dns": dict(names),
                **{kind: [dict(entry) for entry in entries] for kind, entries in self.lists.items()},
            }
