"""What each name answers. Everything else does not exist."""

import time

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

PUBLIC = "93.184.216.34"
PUBLIC6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"

# Records as a zone file has them: name, type, values.
RECORDS = [
    ("example.test", "A", [PUBLIC]),
    ("example.test", "NS", ["ns2.example.test.", "ns1.example.test."]),
    ("example.test", "MX", ["30 c.example.test.", "10 a.example.test.", "20 b.example.test.", "10 A2.example.test."]),
    ("example.test", "TXT", ['"v=spf1 " "-all"', '"one"']),
    ("www.example.org", "A", [PUBLIC]),
    ("www.example.org", "AAAA", [PUBLIC6]),
    ("notexample.test", "A", [PUBLIC]),
    ("single.example.test", "A", [PUBLIC]),
    ("single6.example.test", "AAAA", [PUBLIC6]),
    ("several.example.test", "A", [PUBLIC, "93.184.216.35", "93.184.216.36"]),
    ("several.example.test", "AAAA", [PUBLIC6, "2606:2800:21f::2"]),
    ("mixed.example.test", "A", ["10.0.0.1", PUBLIC, "192.168.1.1"]),
    ("mixed-loopback.example.test", "A", [PUBLIC, "127.0.0.1"]),
    ("private.example.test", "A", ["10.0.0.1", "192.168.1.1"]),
    ("private.example.test", "AAAA", ["fd00::1"]),
    ("metadata.example.test", "A", ["169.254.169.254"]),
    ("mapped.example.test", "AAAA", ["::ffff:127.0.0.1"]),
    ("nat64.example.test", "AAAA", ["64:ff9b::7f00:1"]),
    ("6to4.example.test", "AAAA", ["2002:7f00:1::1"]),
    ("unspecified.example.test", "A", ["0.0.0.0"]),
    ("loopback.example.test", "A", ["127.0.0.1"]),
    ("loopback6.example.test", "AAAA", ["::1"]),
    ("dual.example.test", "A", ["127.0.0.1"]),
    ("dual.example.test", "AAAA", ["::1"]),
    ("second.example.test", "A", ["127.0.0.2", "127.0.0.1"]),  # nothing listens at the first
    ("mail.example.test", "A", ["127.0.0.1"]),
    ("elsewhere.invalid", "A", ["127.0.0.1"]),
    ("alias.example.test", "CNAME", ["loopback.example.test."]),
    ("chain.example.test", "CNAME", ["chain2.example.test."]),
    ("chain2.example.test", "CNAME", ["chain3.example.test."]),
    ("chain3.example.test", "CNAME", ["loopback.example.test."]),
    ("chain-private.example.test", "CNAME", ["private.example.test."]),
    ("loop.example.test", "CNAME", ["loop2.example.test."]),
    ("loop2.example.test", "CNAME", ["loop.example.test."]),
    ("dangling.example.test", "CNAME", ["nowhere.example.test."]),
    *[(f"hop{i}.example.test", "CNAME", [f"hop{i - 1}.example.test."]) for i in range(1, 101)],
    ("hop0.example.test", "A", [PUBLIC]),
    ("text.example.test", "TXT", ['"one " "two " "three"', r'"with \"quotes\" and \\"', r'"gr\195\188n"',
                                  r'"\000\001\255"', '""']),
    ("nodata.example.test", "TXT", ['"only text"']),
    ("null-mx.example.test", "MX", ["0 ."]),
    ("odd.example.test", "CNAME", [r"we\.ird\000\"\032name.example.test."]),
    ("huge.example.test", "A", [f"93.184.{i // 100}.{i % 100 + 1}" for i in range(200)]),
    ("truncated.example.test", "A", [PUBLIC]),
    ("truncated-silent.example.test", "A", [PUBLIC]),
    ("slow.example.test", "A", [PUBLIC]),
    ("wrong-id.example.test", "A", [PUBLIC]),
    ("other-name.example.test", "A", [PUBLIC]),
    ("other-owner.example.test", "A", [PUBLIC]),
    ("additional.example.test", "A", [PUBLIC]),
]
CODES = {"servfail.example.test": dns.rcode.SERVFAIL, "refused.example.test": dns.rcode.REFUSED,
         "formerr.example.test": dns.rcode.FORMERR}


class Zone:
    def __init__(self, home):
        self.records = {(name, kind): values for name, kind, values in RECORDS}
        self.records["server.example.test", "A" if "." in home else "AAAA"] = [home]
        self.names = {name for name, _ in self.records} | {"flip.example.test"}
        self.answers = {  # names that do not simply answer
            "silent.example.test": self.silent,
            "garbage.example.test": self.garbage,
            "slow.example.test": self.slow,
            "truncated.example.test": self.truncated,
            "truncated-silent.example.test": self.truncated_silent,
            "wrong-id.example.test": self.wrong_id,
            "other-name.example.test": self.other_name,
            "other-owner.example.test": self.other_owner,
            "additional.example.test": self.additional,
            "flip.example.test": self.flip,
        }

    def answer(self, query, name, kind, transport, asked_before):
        """The messages to send, as bytes; none, if it keeps silent."""
        response = self.respond(query, name, kind)
        special = self.answers.get(name)
        if special:
            return special(query, response, transport, asked_before)
        return [wire(query, response, transport)]

    def respond(self, query, name, kind):
        response = dns.message.make_response(query, recursion_available=True)
        response.set_rcode(CODES.get(name, dns.rcode.NOERROR))
        seen = set()
        spelled = address_in(name)
        if spelled:
            if spelled[0] == kind:
                response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", *spelled))
            return response
        while (name, kind) not in self.records and (name, "CNAME") in self.records and name not in seen:
            seen.add(name)
            [target] = self.records[name, "CNAME"]
            response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "CNAME", target))
            name = target.rstrip(".").lower()
        if (name, kind) in self.records and name not in seen:
            response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", kind, *self.records[name, kind]))
        elif name not in self.names and name not in CODES and name not in seen:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    # --- Names that do not simply answer

    def silent(self, *_):
        return []

    def garbage(self, query, *_):
        return [query.id.to_bytes(2, "big") + b"\x81\x80\xff\xff\xff\xff" + b"garbage" * 9]

    def slow(self, query, response, transport, _):
        time.sleep(0.3)
        return [wire(query, response, transport)]

    def truncated(self, query, response, transport, _):
        return [wire(query, response, transport) if transport == "tcp" else without_answers(query)]

    def truncated_silent(self, query, _, transport, __):
        return [] if transport == "tcp" else [without_answers(query)]

    def wrong_id(self, query, response, transport, _):
        response.id = query.id ^ 0x5555
        return [response.to_wire()]

    def other_name(self, query, response, *_):
        """Question and answer are of a name that nobody asked."""
        other = dns.name.from_text("single.example.test.")
        response.question[0].name = other
        response.answer = [dns.rrset.from_text("single.example.test.", 60, "IN", "A", PUBLIC)]
        return [response.to_wire()]

    def other_owner(self, query, response, transport, _):
        """The question is right, and the record belongs to another name."""
        response.answer = [dns.rrset.from_text("single.example.test.", 60, "IN", "A", PUBLIC)]
        return [wire(query, response, transport)]

    def additional(self, query, response, transport, _):
        """Tells besides, unasked, where other names are."""
        response.additional = [dns.rrset.from_text("single.example.test.", 60, "IN", "A", "127.0.0.1")]
        return [wire(query, response, transport)]

    def flip(self, query, response, transport, asked_before):
        """Public at first, then the machine itself."""
        if query.question[0].rdtype == dns.rdatatype.A:
            address = "127.0.0.1" if asked_before else PUBLIC
            response.answer = [dns.rrset.from_text("flip.example.test.", 0, "IN", "A", address)]
        return [wire(query, response, transport)]


def address_in(name):
    """10-0-0-1.ip.example.test has the address 10.0.0.1, and fd00--1.ip6.example.test has fd00::1."""
    label, _, rest = name.partition(".")
    if rest == "ip.example.test":
        return "A", label.replace("-", ".")
    if rest == "ip6.example.test":
        return "AAAA", label.replace("-", ":")
    return None


def wire(query, response, transport):
    """The message; nothing but the bit for truncation, where it does not fit the datagram that the client takes."""
    message = response.to_wire(max_size=65535, want_shuffle=False)  # in the order of the table
    room = max(512, query.payload) if query.edns >= 0 else 512
    return without_answers(query) if transport == "udp" and len(message) > room else message


def without_answers(query):
    response = dns.message.make_response(query, recursion_available=True)
    response.flags |= dns.flags.TC
    return response.to_wire()
