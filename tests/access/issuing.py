"""Issues tokens as an identity provider does, good ones and odd ones."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

NOW = 1_800_000_000
ISSUER = "https://id.example/realm"
AUDIENCE = "roundview"
POLICY = """
roles:
  agent: {purposes: [service], sees: {individual: [full_name]}}
  admin: {purposes: [service, analytics], sees: {"*": all}, actions: [audit.read]}
"""
ACCESS = f"""
api_keys: true
issuers:
  staff:
    issuer: {ISSUER}
    audience: {AUDIENCE}
    keys: ../keys.json
    algorithms: [RS256, ES256]
    claims:
      attributes: {{region: region}}
"""


def part(value: Any) -> str:
    """Returns a value as JSON in base64url."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def claims(**changed: Any) -> dict[str, Any]:
    """Returns the claims of a good token; None removes one."""
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "anna",
        "iat": NOW - 10,
        "exp": NOW + 600,
        "roles": ["agent"],
        "region": "eu",
    }
    return {key: value for key, value in {**usual, **changed}.items() if value is not None}


@dataclass
class Provider:
    """The keys of an identity provider."""

    rsa: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048))
    ec: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    p384: ECKey = field(default_factory=lambda: ECKey.generate_key("P-384"))
    okp: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))
    stranger: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048))

    def key_set(self) -> dict[str, Any]:
        """Returns what it publishes."""
        keys = {"r": self.rsa, "e": self.ec, "e384": self.p384, "o": self.okp}
        return {"keys": [{**key.as_dict(private=False), "kid": kid} for kid, key in keys.items()]}

    def token(
        self,
        given: Mapping[str, Any] | bytes | None = None,
        *,
        key: Any = None,
        header: Mapping[str, Any] | None = None,
    ) -> str:
        """Returns a signed token; a header of None in `header` is removed."""
        usual = {"alg": "RS256", "typ": "at+jwt", "kid": "r"}
        protected = {k: v for k, v in {**usual, **(header or {})}.items() if v is not None}
        body = given if isinstance(given, bytes) else json.dumps(given or claims()).encode()
        return self.signed(part(protected), part(body), protected.get("alg", "RS256"), key)

    def signed(self, head: str, body: str, algorithm: Any, key: Any = None) -> str:
        """Returns any two parts, signed as they are."""
        known = jws.JWSRegistry.algorithms.get(str(algorithm), jws.JWSRegistry.algorithms["RS256"])
        signature = known.sign(f"{head}.{body}".encode(), key or self.rsa)
        return f"{head}.{body}.{part(signature)}"


def make_catalog(folder: Path, provider: Provider, access: str | None = ACCESS) -> Path:
    """Writes a catalog without sources, and the provider's keys beside it."""
    root = folder / "catalog"
    root.mkdir()
    (root / "roundview.yaml").write_text("roundview: 1\nname: case\n")
    (root / "policy.yaml").write_text(POLICY)
    if access is not None:
        (root / "access.yaml").write_text(access)
    (folder / "keys.json").write_text(json.dumps(provider.key_set()))
    return root


def with_shared_secret(provider: Provider) -> str:
    """Returns a token signed with the provider's public key as if it were a shared secret."""
    text = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'r'})}.{part(claims())}"
    secret = provider.rsa.as_pem(private=False)
    return f"{text}.{part(hmac.digest(secret, text.encode(), 'sha256'))}"
