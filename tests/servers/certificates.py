"""Certificates, made anew in a directory: a CA that tests trust, and what it or nobody has signed."""

import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Certificates:
    """NAME.pem in the directory holds a key and its certificate; ca.pem, other_ca.pem and self_signed_ca.pem only a
    certificate."""

    def __init__(self, directory, addresses):
        self.directory = directory
        self.now = datetime.datetime.utcnow().replace(microsecond=0)
        names = ["localhost", "example.test", "*.example.test"]
        everyone = subject_names(names, dict.fromkeys(["127.0.0.1", "::1", *addresses]))

        authority = self.make_authority("ca", "Test CA")
        other = self.make_authority("other_ca", "Another CA")
        self.make("good", everyone, authority)
        self.make("expired", everyone, authority, begins=-30, ends=-1)
        self.make("not_yet_valid", everyone, authority, begins=1, ends=30)
        self.make("wrong_name", subject_names(["elsewhere.invalid"], []), authority)
        self.make("common_name_only", None, authority)
        self.make("untrusted", everyone, other)
        self.make("self_signed", everyone, None)

    def path(self, name):
        return os.path.join(self.directory, name + ".pem")

    def context(self, name, protocols=(), lowest=ssl.TLSVersion.TLSv1_2, highest=ssl.TLSVersion.MAXIMUM_SUPPORTED):
        """A server's context with the certificate `name`, offering `protocols` by ALPN."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if lowest < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # OpenSSL allows TLS 1.1 at no other level
        context.minimum_version, context.maximum_version = lowest, highest
        context.load_cert_chain(self.path(name))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def make_authority(self, name, common_name):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = distinguished_name(common_name)
        builder = self.builder(subject, subject, key.public_key(), -1, 30)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)  # certificates and lists
        builder = builder.add_extension(usage, critical=True)
        self.write(name, builder.sign(key, hashes.SHA256()))
        return key, subject

    # Half a day more than 29 days: nothing asks when the number of days that are left changes.
    def make(self, name, alternative_names, authority, begins=-1, ends=29.5):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = distinguished_name("localhost")
        signer, issuer = authority or (key, subject)
        builder = self.builder(subject, issuer, key.public_key(), begins, ends)
        if alternative_names:
            builder = builder.add_extension(alternative_names, critical=False)
        certificate = builder.sign(signer, hashes.SHA256())
        self.write(name, certificate, key)
        if not authority:
            self.write(name + "_ca", certificate)

    def builder(self, subject, issuer, public_key, begins, ends):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(self.now + begins * DAY).not_valid_after(self.now + ends * DAY))

    def write(self, name, certificate, key=None):
        with open(self.path(name), "wb") as out:
            if key:
                out.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                            serialization.NoEncryption()))
            out.write(certificate.public_bytes(serialization.Encoding.PEM))


def distinguished_name(common_name):
    """The comma shows whether somebody writes names with the escapes of RFC 2253: CN=localhost,O=Tests\\, Inc."""
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests, Inc."),
                      x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def subject_names(names, addresses):
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names] +
                                       [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses])
