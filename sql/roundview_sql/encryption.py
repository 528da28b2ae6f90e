"""Decides how connections are encrypted, and what a login over them can be bound to."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding

PROTOCOL: Final = "postgresql"
"""The name in ALPN under which a client asks for TLS at once."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """How to encrypt; `binding` is the digest of the certificate, empty where it has none."""

    context: ssl.SSLContext
    binding: bytes


def encryption(certificate: str, key: str | None) -> Encryption:
    """Reads a certificate and its key: TLS 1.2 at least, direct TLS as well."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols([PROTOCOL])
    return Encryption(context, _end_point(Path(certificate).read_bytes()))


def _end_point(pem: bytes) -> bytes:
    """Returns what tls-server-end-point is: https://www.rfc-editor.org/rfc/rfc5929#section-4.1"""
    certificate = x509.load_pem_x509_certificates(pem)[0]
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        return b""
    digest = Hash(SHA256() if isinstance(algorithm, MD5 | SHA1) else algorithm)
    digest.update(certificate.public_bytes(Encoding.DER))
    return digest.finalize()
