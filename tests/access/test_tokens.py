"""Proves which access tokens are believed, and that no odd one is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.access.issuing import AUDIENCE, ISSUER, NOW, Provider, claims, part, with_shared_secret

from roundview_catalog.errors import AccessError
from roundview_federation.access.tokens import LARGEST
from roundview_federation.federation import Federation

Make = Callable[[Provider], str]
_DEEP = '{"a":' * 700 + "1" + "}" * 700


def _with(**changed: Any) -> Make:
    return lambda p: p.token(claims(**changed))


def _under(**header: Any) -> Make:
    return lambda p: p.token(header=header)


def _body(text: str) -> Make:
    return lambda p: p.token(text.encode())


def _twice(name: str, value: Any) -> Make:
    """Claims in which a name stands twice, the last time with a good value."""
    return _body(json.dumps(claims())[:-1] + f', "{name}": {json.dumps(value)}}}')


def _parts(change: Callable[[list[str]], list[str]]) -> Make:
    return lambda p: ".".join(change(p.token().split(".")))


ODD: dict[str, Make] = {
    # The form.
    "nothing": lambda p: "x",
    "two parts": _parts(lambda t: t[:2]),
    "four parts": _parts(lambda t: [*t, t[2]]),
    "five parts": _parts(lambda t: [*t, t[0], t[1]]),
    "no signature": _parts(lambda t: [t[0], t[1], ""]),
    "no header": _parts(lambda t: ["", t[1], t[2]]),
    "padding": lambda p: p.token() + "=",
    "a newline at its end": lambda p: p.token() + "\n",
    "a NUL": lambda p: p.token() + "\0",
    "a blank inside": _parts(lambda t: [t[0], " " + t[1], t[2]]),
    "ordinary base64": lambda p: p.token().replace("-", "+").replace("_", "/") + "+",
    "other bits in the last character": _parts(lambda t: [*t[:2], t[2][:-1] + _other(t[2][-1])]),
    "letters that only look alike": _parts(lambda t: [t[0], "е" + t[1][1:], t[2]]),
    "a megabyte": _with(padding="x" * 1_000_000),
    "one byte too many": lambda p: "a" * (LARGEST - 3) + ".b.cc",
    "a JSON object": lambda p: json.dumps({"payload": "", "signatures": []}),
    "an array as header": lambda p: p.signed(part([]), part(claims()), "RS256"),
    "a number as header": lambda p: p.signed(part(1), part(claims()), "RS256"),
    "no JSON as header": lambda p: p.signed(part(b"{"), part(claims()), "RS256"),
    "no UTF-8 as header": lambda p: p.signed(part(b'{"alg":"\xff"}'), part(claims()), "RS256"),
    "an array as claims": lambda p: p.token(b"[]"),
    "null as claims": lambda p: p.token(b"null"),
    "deep claims": _body(_DEEP),
    "a name twice in the header": lambda p: p.signed(
        part(b'{"alg":"none","typ":"at+jwt","kid":"r","alg":"RS256"}'), part(claims()), "RS256"
    ),
    "exp twice": _twice("exp", NOW + 600),
    "iss twice": _twice("iss", ISSUER),
    # Signatures and keys.
    "alg none": lambda p: ".".join([part({"alg": "none", "typ": "at+jwt"}), part(claims()), ""]),
    "alg none with a signature": _under(alg="none"),
    "alg nOnE": _under(alg="nOnE"),
    "no alg": _under(alg=None),
    "alg of another kind": _under(alg=["RS256"]),
    "alg in small letters": _under(alg="rs256"),
    "an algorithm that the issuer does not use": _under(alg="RS512"),
    "a curve that the issuer does not use": lambda p: p.token(
        key=p.p384, header={"alg": "ES384", "kid": "e384"}
    ),
    "Ed25519 where it is not used": lambda p: p.token(
        key=p.okp, header={"alg": "Ed25519", "kid": "o"}
    ),
    "HS256 with the public key as secret": with_shared_secret,
    "a stranger's key": lambda p: p.token(key=p.stranger),
    "a stranger's key that it brings along": lambda p: p.token(
        key=p.stranger, header={"jwk": p.stranger.as_dict(private=False)}
    ),
    "its own key brought along": lambda p: p.token(header={"jwk": p.rsa.as_dict(private=False)}),
    "ES256 said, RS256 signed": lambda p: p.signed(
        part({"alg": "ES256", "typ": "at+jwt", "kid": "r"}), part(claims()), "RS256"
    ),
    "RS256 said, for the key of ES256": _under(kid="e"),
    "ES256 with a key of another curve": lambda p: p.token(
        key=p.p384, header={"alg": "ES256", "kid": "e384"}
    ),
    "ES256 with zeros": lambda p: ".".join(
        [*p.token(key=p.ec, header={"alg": "ES256", "kid": "e"}).split(".")[:2], part(bytes(64))]
    ),
    "ES256 in DER": lambda p: ".".join(
        [*p.token(key=p.ec, header={"alg": "ES256", "kid": "e"}).split(".")[:2], part(bytes(70))]
    ),
    "another body under its signature": lambda p: ".".join(
        [p.token().split(".")[0], part(claims(roles=["admin"])), p.token().split(".")[2]]
    ),
    "a path as kid": _under(kid="../../etc/passwd"),
    "an address as kid": _under(kid="https://evil.example/keys"),
    "an unknown kid": _under(kid="r2"),
    "an empty kid": _under(kid=""),
    "a long kid": _under(kid="r" * 300),
    "kid is a list": _under(kid=["r"]),
    "kid is a number": _under(kid=1),
    "crit": _under(crit=["exp"]),
    "crit of nothing": _under(crit=[]),
    "an unencoded payload": _under(b64=False, crit=["b64"]),
    "b64 alone": _under(b64=True),
    "jku": _under(jku="https://evil.example/keys"),
    "x5u": _under(x5u="https://evil.example/keys"),
    "x5c": _under(x5c=["MII"]),
    "compressed": _under(zip="DEF"),
    "a nested token": _under(cty="JWT"),
    # Types.
    "no typ": _under(typ=None),
    "an ID token": _under(typ="JWT"),
    "a logout token": _under(typ="logout+jwt"),
    "typ is a list": _under(typ=["at+jwt"]),
    "typ with a blank": _under(typ="at+jwt "),
    # Who issued it, for whom.
    "no iss": _with(iss=None),
    "another iss": _with(iss="https://evil.example"),
    "iss with a slash more": _with(iss=ISSUER + "/"),
    "iss in capitals": _with(iss=ISSUER.upper()),
    "iss is a list": _with(iss=[ISSUER]),
    "no aud": _with(aud=None),
    "another aud": _with(aud="payroll"),
    "aud begins alike": _with(aud=AUDIENCE + "2"),
    "aud of others": _with(aud=["payroll", "crm"]),
    "aud of nobody": _with(aud=[]),
    "aud with a number": _with(aud=[AUDIENCE, 1]),
    "aud is an object": _with(aud={AUDIENCE: True}),
    "many audiences": _with(aud=[AUDIENCE, *(str(n) for n in range(100))]),
    # Times.
    "expired": _with(exp=NOW - 31),
    "no exp": _with(exp=None),
    "exp is text": _with(exp=str(NOW + 600)),
    "exp is true": _with(exp=True),
    "exp is 1e308": _with(exp=1e308),
    "exp is 1e999": _body(json.dumps(claims())[:-1].replace(str(NOW + 600), "1e999") + "}"),
    "exp is Infinity": _with(exp=float("inf")),
    "exp is NaN": _with(exp=float("nan")),
    "exp has 400 digits": _with(exp=10**400),
    "exp has 5000 digits": _body('{"exp": 1' + "0" * 5000 + "}"),
    "exp is before iat": _with(iat=NOW - 60, exp=NOW - 100),
    "no iat": _with(iat=None),
    "iat in the future": _with(iat=NOW + 31),
    "iat is text": _with(iat="now"),
    "iat is negative": _with(iat=-1),
    "valid for more than an hour": _with(iat=NOW, exp=NOW + 3601),
    "not yet valid": _with(nbf=NOW + 31),
    "nbf is null": _body(json.dumps(claims())[:-1] + ', "nbf": null}'),
    "nbf is NaN": _with(nbf=float("nan")),
    # Who.
    "no sub": _with(sub=None),
    "an empty sub": _with(sub=""),
    "sub is a number": _with(sub=7),
    "sub steers a terminal": _with(sub="anna\x1b[2J"),
    "a long sub": _with(sub="a" * 300),
    "no roles": _with(roles=None),
    "roles within roles": _with(roles=[["admin"]]),
    "roles is an object": _with(roles={"admin": True}),
    "roles with a number": _with(roles=["agent", 1]),
    "300 roles": _with(roles=[str(n) for n in range(300)]),
}


def _other(letter: str) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return letters[letters.index(letter) ^ 1]


async def test_a_good_token_says_who_asks(federation: Federation, provider: Provider) -> None:
    who = await federation.authenticate(provider.token(), is_local=False)
    assert (who.name, who.roles, dict(who.attributes)) == ("anna", ("agent",), {"region": "eu"})
    assert (who.purposes, who.default_purpose, who.scopes) == (("service",), "service", ())


@pytest.mark.parametrize(
    "make",
    [
        _with(aud=["payroll", AUDIENCE]),
        _with(exp=NOW - 29, iat=NOW - 100),
        _with(nbf=NOW + 29, iat=NOW + 29),
        _with(exp=NOW + 600.5),
        _under(typ="application/at+jwt"),
        _under(typ="AT+JWT"),
        _under(x5t="abc"),
        _under(kid=None),
        lambda p: p.token(key=p.ec, header={"alg": "ES256", "kid": "e"}),
    ],
)
async def test_what_the_standards_allow_is_believed(
    federation: Federation, provider: Provider, make: Make
) -> None:
    assert (await federation.authenticate(make(provider), is_local=False)).roles == ("agent",)


def test_there_are_enough_odd_tokens() -> None:
    assert len(ODD) >= 60


@pytest.mark.parametrize("name", ODD)
async def test_no_odd_token_is_believed(
    federation: Federation, provider: Provider, name: str
) -> None:
    with pytest.raises(AccessError) as refused:
        await federation.authenticate(ODD[name](provider), is_local=True)
    assert refused.value.code == "RV302"
    assert refused.value.message == "the token or key is not accepted"


@pytest.mark.parametrize("roles", ["admin ", " admin", "Admin", "admin\0", "agent admin", "*", ""])
async def test_roles_are_told_apart_exactly(
    federation: Federation, provider: Provider, roles: str
) -> None:
    with pytest.raises(AccessError) as refused:
        await federation.authenticate(provider.token(claims(roles=roles)), is_local=True)
    assert refused.value.code == "RV300"


async def test_roles_that_do_not_exist_are_left_out(
    federation: Federation, provider: Provider
) -> None:
    token = provider.token(claims(roles=["root", "admin", "agent"], scope="x graphql:open"))
    who = await federation.authenticate(token, is_local=False)
    assert (who.roles, who.default_purpose) == (("admin", "agent"), "")
    assert who.purposes == ("analytics", "service")
    assert who.scopes == ("graphql:open",)
