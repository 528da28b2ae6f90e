"""Decides what can be set from outside, and where a catalog's own files lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from roundview_catalog.errors import RequestError

CATALOG_FILE = "roundview.yaml"
_DEFAULT_CATALOGS = (Path("catalog"), Path(".demo/catalog"))


class Settings(BaseSettings):
    """Holds every setting; each is read from `ROUNDVIEW_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="ROUNDVIEW_", extra="ignore", frozen=True)

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Others than loopback need `access.yaml` in the catalog "
        "and a certificate.",
    )
    port: int = Field(8360, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    sql_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port for clients of PostgreSQL. Default: 8361, or any free one with port 0.",
    )
    tls_certificate: Path | None = Field(
        None, description="File of the certificate (PEM) that the server shows; needs `TLS_KEY`."
    )
    tls_key: Path | None = Field(None, description="File of the certificate's private key (PEM).")
    token: SecretStr | None = Field(
        None, description="Access token or API key of who asks on the command line and in Python."
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that serve. They share `limits.concurrency` and `limits.rate` of "
        "each source; one of them links the records of a changed source.",
    )
    catalog: Path | None = Field(
        None, description="Catalog folder. Default: `catalog`, then `.demo/catalog`."
    )
    data_dir: Path | None = Field(
        None,
        description="Folder of the identity store. Default: `.roundview` beside the catalog.",
    )
    secret_file: Path | None = Field(
        None,
        description="File of the root secret. Default: `secret` beside the catalog, else "
        "`secret` in the data folder, which is made on first use.",
    )
    env_file: Path | None = Field(
        None,
        description="File of `NAME=value` lines for the catalog's `${env:NAME}`; the process "
        "environment wins. Default: `env` beside the catalog, if there is one.",
    )
    audit_heads: Path | None = Field(
        None,
        description="File to which the signed heads of the audit log are added, best on another "
        "disk: they tell of a log that was cut off. Default: `audit-heads` in the data folder.",
    )
    audit_days: int = Field(
        400, ge=1, description="Days for which the records of the audit log are kept at least."
    )


@dataclass(frozen=True, slots=True)
class Workspace:
    """Says where one catalog and what belongs to it lie, and what `${env:…}` resolves to."""

    catalog: Path
    data_dir: Path
    secret_file: Path
    env: Mapping[str, str]
    audit_heads: Path
    audit_days: int


def read_settings(*, workers: int | None = None) -> Settings:
    """Reads the settings; `workers` is what the command line says instead of one.

    Raises RequestError for a value that cannot be.
    """
    try:
        return Settings() if workers is None else Settings(workers=workers)
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        is_option = name == "workers" and workers is not None
        name = f"--{name}" if is_option else f"ROUNDVIEW_{name.upper()}"
        raise RequestError(f"{name} is not valid", code="RV105", hint=first["msg"]) from None


def find_workspace(catalog: Path | str | None = None) -> Workspace:
    """Finds the catalog folder (given, set, or a default one) and the files beside it.

    Raises RequestError if there is none.
    """
    settings = read_settings()
    root = _find_catalog(Path(catalog) if catalog is not None else settings.catalog)
    beside = root.resolve().parent
    data_dir = settings.data_dir or beside / ".roundview"
    secret = settings.secret_file or beside / "secret"
    if settings.secret_file is None and not secret.exists():
        secret = data_dir / "secret"
    env_file = settings.env_file or beside / "env"
    if settings.env_file is not None and not env_file.exists():
        raise RequestError("the environment file does not exist", hint="check ROUNDVIEW_ENV_FILE")
    env = {**(_read_env(env_file) if env_file.exists() else {}), **os.environ}
    heads = settings.audit_heads or data_dir / "audit-heads"
    return Workspace(root, data_dir, secret, env, heads, settings.audit_days)


def token_of(given: str | None) -> str | None:
    """Returns a token or key as it is sent: the given one, else that of the settings, if any."""
    setting = read_settings().token
    token = given if given is not None else setting.get_secret_value() if setting else ""
    return token.strip() or None


def is_loopback(host: str) -> bool:
    """Tells whether a name or address of a host is this machine's loopback.

    >>> is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _find_catalog(chosen: Path | None) -> Path:
    if chosen is not None:
        if not chosen.is_dir():
            raise RequestError("the catalog folder does not exist", hint="check its path")
        return chosen
    for path in _DEFAULT_CATALOGS:
        if (path / CATALOG_FILE).exists():
            return path
    raise RequestError(
        "there is no catalog here",
        hint="set ROUNDVIEW_CATALOG, or start the demo: roundview demo",
    )


def _read_env(path: Path) -> dict[str, str]:
    # Plain lines: a dotenv reader would expand `$` and quotes inside passwords.
    pairs = (
        line.partition("=")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "=" in line and not line.lstrip().startswith("#")
    )
    return {name.strip(): value.strip() for name, _, value in pairs}
