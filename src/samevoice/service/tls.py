"""Certificates: a given one, or one that the service makes for itself so that a phone opens its microphone.

Browsers give a page a microphone only over HTTPS, or on the machine itself. A certificate that signs itself encrypts,
and shows who the service is only to those who compare its digest.

Knows: X.509, files. Does not know: sockets.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from samevoice.errors import ConfigError
from samevoice.files import expanded, write_atomically, write_privately
from samevoice.service.options import LOCALHOST, Options

DAYS = 397  # more than that some browsers refuse
RENEW_DAYS = 30
LOOPBACK = "127.0.0.1"
ELSEWHERE = ("192.0.2.1", 9)  # an address for documentation; nothing is sent there


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files that the server loads.

    Args:
        certificate: path (PEM).
        key: path (PEM).
        name: under which other machines reach this one, as far as known.
        digest: SHA-256 of a certificate that was made here; empty for a given one.
    """

    certificate: Path
    key: Path
    name: str = ""
    digest: str = ""


def certificate(options: Options) -> Certificate | None:
    """The certificate of a service; None if it speaks plain HTTP.

    Raises:
        ConfigError: it cannot be read or made.
    """
    if options.self_signed:
        return _own(options)
    if options.tls_cert is None or options.tls_key is None:
        return None
    found = Certificate(expanded(options.tls_cert), expanded(options.tls_key))
    _check(found)
    return found


def _check(found: Certificate) -> None:
    """Refuse files that do not belong together.

    Raises:
        ConfigError: so.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(found.certificate, found.key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "they are no certificate and its key"
        raise ConfigError(f"{found.certificate}, {found.key}: cannot be used ({reason}); check both files") from error


def _own(options: Options) -> Certificate:
    """The certificate made before, or a new one where it ends soon or the machine has another address now.

    Raises:
        ConfigError: its folder cannot be written.
    """
    folder = options.folder / "tls"
    path, key = folder / "certificate.pem", folder / "key.pem"
    address = LOOPBACK if options.is_loopback else _address()
    names = _names(options, address)
    shown = address if options.host in ("0.0.0.0", "::", "") else options.host  # noqa: S104 - compared only
    try:
        found = _usable(path, names)
        if found is None or not key.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = _make(path, key, names)
    except OSError as error:
        raise ConfigError(f"{folder}: no certificate can be kept there ({error.strerror}); see --data") from error
    return Certificate(path, key, shown, found.fingerprint(hashes.SHA256()).hex(":").upper())


def _usable(path: Path, names: list[x509.GeneralName]) -> x509.Certificate | None:
    """A certificate that lies there and still does."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return None
    lasting = found.not_valid_after_utc - datetime.now(UTC) > timedelta(days=RENEW_DAYS)
    return found if lasting and set(names) <= set(held) else None


def _make(path: Path, key_path: Path, names: list[x509.GeneralName]) -> x509.Certificate:
    """A new key and its certificate, on disk."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "samevoice")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # the clock of a phone may be late
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_privately(key_path, secret)
    write_atomically(path, lambda stream: stream.write(made.public_bytes(serialization.Encoding.PEM)))
    return made


def _names(options: Options, address: str) -> list[x509.GeneralName]:
    """Under which the service can be reached."""
    machine = socket.gethostname().lower()
    texts = [LOCALHOST, machine, f"{machine}.local", *options.hosts]
    names: list[x509.GeneralName] = [x509.DNSName(text) for text in dict.fromkeys(texts) if text.isascii() and text]
    for text in dict.fromkeys([LOOPBACK, "::1", address, options.host]):
        try:
            one = ipaddress.ip_address(text)
        except ValueError:
            continue
        if not one.is_unspecified:
            names.append(x509.IPAddress(one))
    return names


def _address() -> str:
    """The address under which the local network knows this machine; that of the machine itself where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)  # of a datagram socket: chooses a way, and sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return LOOPBACK
