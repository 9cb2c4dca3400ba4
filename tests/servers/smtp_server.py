"""SMTP up to what a client needs to know that a server is there, well behaved and not."""

import itertools
import time

import listen

GREETING = b"220 mail.example.test ESMTP tests\r\n"
EHLO = [b"mail.example.test", b"SIZE 1000000", b"8BITMIME"]


class Behaviour:
    def __init__(self, banner=(GREETING,), starttls=None, offered=None, implicit=None, ehlo=True, injected=b"",
                 endless_ehlo=False, closes_at=None):
        self.banner = banner  # parts, sent one after the other
        self.starttls = starttls  # the certificate; None: 454
        self.offered = bool(starttls) if offered is None else offered  # does EHLO list STARTTLS
        self.implicit = implicit  # the certificate when TLS comes first
        self.ehlo = ehlo  # else EHLO is an unknown command
        self.injected = injected  # in plain text, behind the answer to STARTTLS
        self.endless_ehlo = endless_ehlo
        self.closes_at = closes_at  # the command that ends the connection


def late_banner():
    time.sleep(0.5)
    yield GREETING


def behaviours():
    return {
        "smtp": Behaviour(starttls="good"),
        "smtp_expired": Behaviour(starttls="expired"),
        "smtp_wrong_name": Behaviour(starttls="wrong_name"),
        "smtp_no_starttls": Behaviour(),
        "smtp_refuses_starttls": Behaviour(offered=True),
        "smtp_injection": Behaviour(starttls="good", injected=b"250-injected\r\n250 STARTTLS\r\n"),
        "smtps": Behaviour(implicit="good"),
        "smtps_self_signed": Behaviour(implicit="self_signed"),
        "smtp_slow": Behaviour(late_banner),
        "smtp_silent": Behaviour(banner=()),
        "smtp_drip": Behaviour(dripping_banner),
        "smtp_endless_banner": Behaviour(lambda: itertools.repeat(b"2" * 65536, 1 << 14)),
        "smtp_endless_lines": Behaviour(lambda: itertools.repeat(b"220-and on\r\n" * 4096)),
        "smtp_multi_line": Behaviour([b"220-mail.example.test ESMTP\r\n220-second line\r\n", b"220 third line\r\n"]),
        "smtp_554": Behaviour([b"554 mail.example.test has no SMTP for you\r\n"]),
        "smtp_no_ehlo": Behaviour(ehlo=False),
        "smtp_endless_ehlo": Behaviour(endless_ehlo=True),
        "smtp_closes": Behaviour(closes_at="EHLO"),
        "smtp_garbage": Behaviour([b"\0\xff\xfe this is not SMTP \x80\r\n"]),
        "smtp_binary_banner": Behaviour([b"220 mail \0\x1b[31m\xff\xfe end\r\n"]),
    }


def dripping_banner():
    while True:
        yield b"2"
        time.sleep(0.05)


def start(listeners, certificates):
    for name, behaviour in behaviours().items():
        starttls = behaviour.starttls and certificates.context(behaviour.starttls)
        implicit = behaviour.implicit and certificates.context(behaviour.implicit)
        if starttls:
            listen.note_handshakes(starttls, name, listeners.record)
        sessions = itertools.count(1)

        def serve(connection, name=name, behaviour=behaviour, starttls=starttls, sessions=sessions):
            Session(name, next(sessions), behaviour, starttls, listeners.record).run(connection)

        listeners.tcp(name, serve, implicit)


class Session:
    def __init__(self, server, number, behaviour, starttls, record):
        self.server, self.number, self.record = server, number, record
        self.behaviour, self.starttls = behaviour, starttls
        self.secure = bool(behaviour.implicit)

    def run(self, connection):
        self.use(connection)
        banner = self.behaviour.banner
        for part in banner() if callable(banner) else banner:
            self.connection.sendall(part)
        while command := self.read_command():
            if command == self.behaviour.closes_at:
                return
            getattr(self, "on_" + command.lower(), self.on_unknown)()
            if command == "QUIT":
                break
        listen.close_politely(self.connection)

    def use(self, connection):
        self.connection, self.reader = connection, connection.makefile("rb")

    def read_command(self):
        """The verb of the next line; None at the end."""
        line = self.reader.readline(65536).decode("latin-1")
        if not line:
            return None
        self.record.add("smtp", {"server": self.server, "session": self.number, "tls": self.secure,
                                 "command": line.rstrip("\r\n")})
        return line.split(maxsplit=1)[0].upper() if line.strip() else "?"

    def reply(self, *lines, code=250):
        for i, line in enumerate(lines):
            self.connection.sendall(b"%d%b%b\r\n" % (code, b" " if i + 1 == len(lines) else b"-", line))

    def on_ehlo(self):
        if not self.behaviour.ehlo:
            self.on_unknown()
            return
        while self.behaviour.endless_ehlo:
            self.connection.sendall(b"250-and on\r\n" * 4096)
        offered = [b"STARTTLS"] if self.behaviour.offered and not self.secure else []
        self.reply(*EHLO, *offered)

    def on_helo(self):
        self.reply(b"mail.example.test")

    def on_noop(self):
        self.reply(b"OK")

    def on_quit(self):
        self.reply(b"bye", code=221)

    def on_starttls(self):
        if self.secure or not self.behaviour.offered:
            self.reply(b"what?", code=502)
        elif not self.starttls:
            self.reply(b"TLS is not available", code=454)
        else:
            self.connection.sendall(b"220 go ahead\r\n" + self.behaviour.injected)
            self.use(listen.start_tls(self.connection, self.starttls))
            self.secure = True

    def on_unknown(self):
        self.reply(b"unknown command", code=500)
