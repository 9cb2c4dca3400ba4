"""The servers themselves, with Python's own clients: does each do what README.md says?"""

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
import unittest
import zlib

import dns.message
import dns.query
import dns.rcode
import h2.connection
import h2.events

import http_paths

HERE = os.path.dirname(os.path.abspath(__file__))
ADDRESS = "127.0.0.1"


class ServersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.child = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "servers.py")],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cls.told = json.loads(cls.child.stdout.readline())
        cls.ports, cls.paths = cls.told["ports"], cls.told["paths"]

    @classmethod
    def tearDownClass(cls):
        cls.child.stdin.close()
        code = cls.child.wait(timeout=10)
        cls.child.stdout.close()
        assert code == 0, code
        assert not os.path.exists(cls.paths["directory"]), "certificates are left behind"

    def setUp(self):
        self.ask("POST", "/reset", "control")

    def ask(self, method, target, server="http", **more):
        client = http.client.HTTPConnection(ADDRESS, self.ports[server], timeout=10)
        with contextlib.closing(client):
            client.request(method, target, **more)
            response = client.getresponse()
            return response, response.read()

    def log(self):
        return json.loads(self.ask("GET", "/log", "control")[1])

    def context(self, ca="ca"):
        return ssl.create_default_context(cafile=self.paths[ca])

    @contextlib.contextmanager
    def connected(self, server, context=None, name="localhost"):
        with socket.create_connection((ADDRESS, self.ports[server]), timeout=10) as plain:
            if not context:
                yield plain
                return
            with context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False) as secure:
                yield secure

    def bytes_of(self, target, server="http"):
        """All that goes over the wire."""
        with self.connected(server) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def query(self, name, kind="A", transport=dns.query.udp, **more):
        return transport(dns.message.make_query(name, kind), ADDRESS, port=self.ports["dns"], timeout=5, **more)

    def texts(self, response):
        return [record.to_text() for rrset in response.answer for record in rrset]


class HttpTest(ServersTest):
    def test_hello_has_its_headers_as_they_are_written(self):
        self.assertEqual(self.bytes_of("/hello"),
                         b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nX-Twice: one\r\n"
                         b"X-Twice: two\r\nx-lower-case: yes\r\nContent-Length: 6\r\n\r\nhello\n")

    def test_echo_tells_what_was_asked(self):
        _, body = self.ask("POST", "/echo?a=1&b=%20", body=b"\0body", headers={"X-Mine": "yes"})
        told = json.loads(body)
        self.assertEqual((told["method"], told["path"], told["query"]), ("POST", "/echo", {"a": "1", "b": " "}))
        self.assertEqual(base64.b64decode(told["body"]), b"\0body")
        self.assertIn(["X-Mine", "yes"], told["headers"])

    def test_redirects_say_where_to(self):
        response, _ = self.ask("GET", "/redirect?to=http%3A%2F%2Fa.test%2F%3Fb&code=307")
        self.assertEqual((response.status, response.headers["Location"]), (307, "http://a.test/?b"))
        self.assertIn(b"\r\nLocation: \x01//\xff\r\n", self.bytes_of("/location-raw?value=%01//%FF"))
        self.assertEqual(self.ask("GET", "/redirect-loop?n=2")[0].headers["Location"], "/redirect-loop?n=1")
        self.assertEqual(self.ask("GET", "/redirect-loop?n=0")[0].status, 200)

    def test_statuses_and_headers(self):
        self.assertEqual(self.ask("GET", "/status/204")[0].status, 204)
        self.assertEqual(self.ask("GET", "/status/418")[1], b"status 418\n")
        self.assertEqual(self.ask("GET", "/auth")[0].status, 401)
        self.assertEqual(self.ask("GET", "/auth", headers={"Authorization": "Basic x"})[1], b"Basic x\n")
        self.assertEqual(len(self.ask("GET", "/cookie")[0].headers.get_all("Set-Cookie")), 2)
        self.assertIn("ma=", self.ask("GET", "/altsvc")[0].headers["Alt-Svc"])
        self.assertIn("max-age", self.ask("GET", "/hsts")[0].headers["Strict-Transport-Security"])
        self.assertEqual(self.ask("GET", "/nowhere")[0].status, 404)

    def test_bodies_by_every_framing(self):
        self.assertEqual(self.ask("GET", "/chunked")[1], b"first second third\n")
        self.assertEqual(self.ask("GET", "/no-length")[1], b"until the end\n")
        self.assertEqual(len(self.ask("GET", "/big?n=100001")[1]), 100001)
        self.assertTrue(self.bytes_of("/trailers").endswith(b"0\r\nX-Sum: 42\r\n\r\n"))
        self.assertTrue(self.bytes_of("/early-hints").startswith(b"HTTP/1.1 103 Early Hints\r\n"))

    def test_compressed_bodies(self):
        self.assertEqual(gzip.decompress(self.ask("GET", "/gzip?n=5000")[1]), b"a" * 5000)
        self.assertEqual(zlib.decompress(self.ask("GET", "/deflate?n=5000")[1]), b"a" * 5000)
        for how in ["garbage", "truncated", "checksum"]:
            with self.assertRaises((OSError, EOFError)):
                gzip.decompress(self.ask("GET", "/bad-gzip?how=" + how)[1])

    def test_a_bomb_is_small_and_inflates_to_ten_gigabytes(self):
        _, body = self.ask("GET", "/bomb")
        self.assertLess(len(body), 12 << 20)
        inflate = zlib.decompressobj(31)
        self.assertEqual(len(inflate.decompress(body, 64 << 20)), 64 << 20)  # and there is more
        self.assertGreater(len(body) - len(inflate.unconsumed_tail), 0)
        self.assertGreater(len(inflate.unconsumed_tail), len(body) * 0.9)
        _, twice = self.ask("GET", "/bomb?layers=2")
        self.assertLess(len(twice), 200000)
        self.assertEqual(zlib.decompressobj(31).decompress(twice), body)

    def test_endless_ones_go_on_until_the_client_leaves(self):
        large = ["/endless", "/redirect?to=/hello&endless", "/endless-hints", "/endless-headers", "/endless-trailers"]
        for target, least in [("/drip?ms=1", 20), ("/headers-drip?ms=1", 50), *((path, 4 << 20) for path in large)]:
            with self.connected("http") as connection:
                connection.sendall(f"GET {target} HTTP/1.1\r\n\r\n".encode())
                read = 0
                while read < least:
                    read += len(connection.recv(1 << 20))

    def test_slow_comes_late(self):
        start = time.monotonic()
        self.ask("GET", "/slow?ms=200")
        self.assertGreaterEqual(time.monotonic() - start, 0.2)

    def test_lies_and_nonsense(self):
        with self.assertRaises(http.client.IncompleteRead):
            self.ask("GET", "/lies-long")
        self.assertEqual(self.ask("GET", "/lies-short")[1], b"long")
        self.assertTrue(self.bytes_of("/lies-short").endswith(b"longer than it says"))
        with self.assertRaises(http.client.IncompleteRead):
            self.ask("GET", "/bad-chunk")
        with self.assertRaises(http.client.RemoteDisconnected):
            self.ask("GET", "/close")
        with self.assertRaises(http.client.BadStatusLine):
            self.ask("GET", "/garbage")
        self.assertGreater(len(self.bytes_of("/huge-header?n=100000")), 100000)
        self.assertEqual(self.bytes_of("/many-headers?n=50").count(b"X-Many-"), 50)
        self.assertEqual(self.bytes_of("/raw?bytes=%00%FFa"), b"\0\xffa")

    def test_https_is_verified_by_the_ca(self):
        client = http.client.HTTPSConnection("localhost", self.ports["https"], context=self.context(), timeout=10)
        with contextlib.closing(client):
            client.request("GET", "/hello")
            self.assertEqual(client.getresponse().read(), b"hello\n")
        [handshake] = self.log()["tls"]
        self.assertEqual((handshake["server_name"], handshake["complete"], handshake["protocol"], handshake["resumed"]),
                         ("localhost", True, None, False))
        for server in ["https_expired", "https_self_signed", "https_untrusted", "https_wrong_name"]:
            with self.assertRaises(ssl.SSLCertVerificationError), self.connected(server, self.context()):
                pass

    def test_http2_is_spoken(self):
        status, headers, body = self.ask_http2("/hello")
        self.assertEqual((status, body), ("200", b"hello\n"))
        self.assertIn(("x-twice", "two"), headers)
        self.assertEqual(len(self.ask_http2("/big?n=300000")[2]), 300000)  # more than a window holds
        [first, second] = self.log()["requests"]
        self.assertEqual(first["version"], "HTTP/2")
        self.assertNotEqual(first["connection"], second["connection"])

    def ask_http2(self, target):
        context = self.context()
        context.set_alpn_protocols(["h2"])
        client, status, headers, body = h2.connection.H2Connection(), None, [], b""
        with self.connected("http2", context) as connection:
            client.initiate_connection()
            client.send_headers(1, [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"),
                                    (":path", target)], end_stream=True)
            while True:
                connection.sendall(client.data_to_send())
                for event in client.receive_data(connection.recv(65536)):
                    if isinstance(event, h2.events.ResponseReceived):
                        headers = [(name.decode(), value.decode()) for name, value in event.headers]
                        status = dict(headers)[":status"]
                    elif isinstance(event, h2.events.DataReceived):
                        body += event.data
                        client.acknowledge_received_data(event.flow_controlled_length, 1)
                    elif isinstance(event, h2.events.StreamEnded):
                        return status, headers, body

    def test_the_log_counts_what_arrived_and_forgets_at_reset(self):
        self.assertEqual(sum(self.log()["connections"].values()), 0)
        with self.connected("http"), self.connected("tcp"), self.connected("tcp"):
            connections = self.log()["connections"]
        self.assertEqual((connections["http"], connections["tcp"], connections["https"]), (1, 2, 0))
        self.ask("GET", "/hello?x", headers={"X-Mine": "yes"})
        [request] = self.log()["requests"]
        self.assertEqual((request["server"], request["target"]), ("http", "/hello?x"))
        self.assertIn(["X-Mine", "yes"], request["headers"])
        self.assertIn({"server": "http", "address": ADDRESS, "peer": ADDRESS}, self.log()["accepted"])
        self.ask("POST", "/reset", "control")
        self.assertEqual((self.log()["requests"], self.log()["accepted"]), ([], []))

    def test_the_readme_names_every_server_and_path(self):
        with open(os.path.join(HERE, "README.md"), encoding="utf-8") as readme:
            words = set(re.findall(r"/?[\w-]+", readme.read()))
        self.assertEqual((set(self.ports) | set(http_paths.PATHS)) - words, set())


class DnsTest(ServersTest):
    def test_records_are_answered(self):
        self.assertEqual(self.texts(self.query("loopback.example.test")), ["127.0.0.1"])
        self.assertEqual(len(self.texts(self.query("several.example.test"))), 3)
        self.assertEqual(self.texts(self.query("chain.example.test"))[-1], "127.0.0.1")
        self.assertEqual(len(self.texts(self.query("loop.example.test"))), 2)
        self.assertIn("30 c.example.test.", self.texts(self.query("example.test", "MX")))
        self.assertIn('"one " "two " "three"', self.texts(self.query("text.example.test", "TXT")))

    def test_names_spell_addresses(self):
        self.assertEqual(self.texts(self.query("10-0-0-1.ip.example.test")), ["10.0.0.1"])
        self.assertEqual(self.texts(self.query("fd00--1.ip6.example.test", "AAAA")), ["fd00::1"])
        self.assertEqual(self.texts(self.query("fd00--1.ip6.example.test", "A")), [])

    def test_failures_are_told_apart(self):
        for name, code in [("nowhere.example.test", dns.rcode.NXDOMAIN), ("servfail.example.test", dns.rcode.SERVFAIL),
                           ("refused.example.test", dns.rcode.REFUSED), ("nodata.example.test", dns.rcode.NOERROR)]:
            response = self.query(name)
            self.assertEqual((response.rcode(), response.answer), (code, []))

    def test_what_does_not_fit_a_datagram_is_truncated(self):
        for name, count in [("truncated.example.test", 1), ("huge.example.test", 200)]:
            self.assertTrue(self.query(name).flags & dns.flags.TC)
            self.assertEqual(len(self.texts(self.query(name, transport=dns.query.tcp))), count)

    def test_flip_is_public_only_once(self):
        found = [self.texts(self.query("flip.example.test")) for _ in range(3)]
        self.assertEqual(found, [["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]])
        self.assertEqual(self.log()["dns"], {"flip.example.test": 3})

    def test_crafted_answers(self):
        for name in ["wrong-id.example.test", "other-name.example.test"]:
            with self.assertRaises(dns.query.BadResponse):
                self.query(name)
        with self.assertRaises(dns.exception.DNSException):
            self.query("garbage.example.test", raise_on_truncation=True)
        with self.assertRaises(dns.exception.Timeout):
            dns.query.udp(dns.message.make_query("silent.example.test", "A"), ADDRESS, port=self.ports["dns"],
                          timeout=0.2)
        self.assertEqual(self.log()["dns"]["silent.example.test"], 1)


class SmtpTest(ServersTest):
    def talk(self, server, *commands, context=None):
        """What comes after connecting and after each command, up to the last line of a reply."""
        with self.connected(server, context) as connection:
            reader = connection.makefile("rb")
            replies = [self.reply(reader)]
            for command in commands:
                connection.sendall(command + b"\r\n")
                replies.append(self.reply(reader))
            return replies

    def reply(self, reader):
        lines = []
        while line := reader.readline():
            lines.append(line.rstrip(b"\r\n"))
            if line[3:4] != b"-":
                break
        return lines

    def test_a_session_is_recorded(self):
        replies = self.talk("smtp", b"EHLO me", b"QUIT")
        self.assertIn(b"250 STARTTLS", replies[1])
        self.assertEqual(replies[2], [b"221 bye"])
        self.assertEqual([entry["command"] for entry in self.log()["smtp"]], ["EHLO me", "QUIT"])

    def test_starttls_leads_to_tls(self):
        with self.connected("smtp") as plain:
            reader = plain.makefile("rb")
            self.reply(reader)
            plain.sendall(b"STARTTLS\r\n")
            self.assertEqual(self.reply(reader), [b"220 go ahead"])
            with self.context().wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(b"EHLO me\r\n")
                self.assertNotIn(b"STARTTLS", secure.recv(1000))
        self.assertEqual([entry["tls"] for entry in self.log()["smtp"]], [False, True])

    def test_each_misbehaves_as_it_should(self):
        self.assertNotIn(b"250 STARTTLS", self.talk("smtp_no_starttls", b"EHLO me")[1])
        self.assertEqual(self.talk("smtp_refuses_starttls", b"STARTTLS")[1], [b"454 TLS is not available"])
        self.assertEqual(self.talk("smtp_554")[0][0][:3], b"554")
        self.assertEqual(len(self.talk("smtp_multi_line")[0]), 3)
        self.assertEqual(self.talk("smtp_no_ehlo", b"EHLO me", b"HELO me")[1:],
                         [[b"500 unknown command"], [b"250 mail.example.test"]])
        self.assertEqual(self.talk("smtp_slow", b"NOOP")[1], [b"250 OK"])
        self.assertEqual(self.talk("smtp_closes", b"EHLO me")[1], [])
        self.assertTrue(self.talk("smtps", context=self.context())[0][0].startswith(b"220 "))

    def test_injected_lines_come_with_the_answer_to_starttls(self):
        with self.connected("smtp_injection") as connection:
            self.reply(connection.makefile("rb"))
            connection.sendall(b"STARTTLS\r\n")
            self.assertEqual(connection.recv(1000), b"220 go ahead\r\n250-injected\r\n250 STARTTLS\r\n")

    def test_endless_ones_go_on(self):
        for server in ["smtp_endless_banner", "smtp_endless_lines"]:
            with self.connected(server) as connection:
                read = 0
                while read < 4 << 20:
                    read += len(connection.recv(1 << 20))


class TlsTest(ServersTest):
    def test_good_is_trusted_by_name_and_by_address(self):
        for name in ["localhost", "127.0.0.1", "::1", "a.example.test"]:
            with self.connected("tls", self.context(), name) as connection:
                connection.sendall(b"echo")
                self.assertEqual(connection.recv(10), b"echo")

    def test_bad_certificates_say_why(self):
        for server, reason in [("expired", "expired"), ("not_yet_valid", "not yet valid"),
                               ("self_signed", "self-signed"), ("untrusted", "unable to get local issuer"),
                               ("wrong_name", "Hostname mismatch")]:
            with self.assertRaisesRegex(ssl.SSLCertVerificationError, reason):
                with self.connected("tls_" + server, self.context()):
                    pass
        for server, ca in [("self_signed", "self_signed_ca"), ("untrusted", "other_ca")]:
            with self.connected("tls_" + server, self.context(ca)):
                pass

    def test_each_version_is_alone(self):
        for server, version in [("tls_1_1", "TLSv1.1"), ("tls_1_2", "TLSv1.2"), ("tls_1_3", "TLSv1.3")]:
            context = self.context()
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            with self.connected(server, context) as connection:
                self.assertEqual(connection.version(), version)
        with self.assertRaises(ssl.SSLError), self.connected("tls_1_1", self.context()):
            pass

    def test_some_never_shake_hands(self):
        for server in ["tls_closes", "tls_garbage"]:
            with self.assertRaises(OSError), self.connected(server, self.context()):
                pass
        context = self.context()
        with self.connected("tls_silent") as plain, self.assertRaises(TimeoutError):
            plain.settimeout(0.2)
            context.wrap_socket(plain, server_hostname="localhost")

    def test_a_cut_is_not_an_end(self):
        with self.connected("tls_greets", self.context()) as connection:
            self.assertEqual([connection.recv(10), connection.recv(10)], [b"hello\n", b""])
        strict = self.context()
        strict.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python's default is lenient
        with self.connected("tls_cut", strict) as connection:
            self.assertEqual(connection.recv(10), b"hello\n")
            with self.assertRaisesRegex(ssl.SSLError, "(?i)eof"):
                connection.recv(10)

    def test_plain_ones(self):
        with self.connected("tcp") as connection:
            connection.sendall(b"echo")
            self.assertEqual(connection.recv(10), b"echo")
        with self.connected("tcp_closes") as connection:
            self.assertEqual(connection.recv(10), b"")
        with self.connected("tcp_greets") as connection:
            self.assertEqual(connection.makefile("rb").read(), b"hello\n")
        with self.connected("tcp_resets") as connection, self.assertRaises(ConnectionResetError):
            connection.sendall(b"x")
            connection.recv(10)

    def test_closed_refuses_and_full_never_accepts(self):
        with self.assertRaises(ConnectionRefusedError), self.connected("closed"):
            pass
        with self.assertRaises(TimeoutError):
            socket.create_connection((ADDRESS, self.ports["full"]), timeout=0.3)

    def test_ipv6_has_the_same_ports_but_for_tcp4(self):
        if "::1" not in self.told["addresses"]:
            self.skipTest("there is no IPv6 here")
        with socket.create_connection(("::1", self.ports["tcp"]), timeout=10):
            pass
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("::1", self.ports["tcp4"]), timeout=10)


if __name__ == "__main__":
    unittest.main()
