"""Decides what `roundview.yaml` says: name, version, deadlines and survivorship."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from roundview_catalog import secrets
from roundview_catalog.document import Document
from roundview_catalog.files import CatalogFile, Trusted
from roundview_catalog.model import Canonical, SurvivorRule
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.shapes import is_map, shaped

DEFAULT_RULE = SurvivorRule("most_recent")


def read_catalog_file(document: Document, report: Report) -> CatalogFile | None:
    """Returns the file's content; None if the report tells why not."""
    if not is_map(document.data, document, (), report):
        return None
    engines = document.data.get("engines")
    for path in secrets.literal_secrets(engines, ("engines",)):
        at = document.position(path)
        report.add(at, "RV222", "a secret is written here", "write ${env:NAME} or ${file:NAME}")
    for path, text in secrets.texts(document.data):
        if secrets.malformed_reference(text) or ("${" in text and path[0] != "engines"):
            at = document.position(path)
            report.add(at, "RV223", "not a reference", "write ${env:NAME} or ${file:NAME}")
    return shaped(CatalogFile, document.data, document, (), report)


def survivorship(
    file: CatalogFile,
    document: Document,
    canonical: Canonical,
    sources: Collection[str],
    report: Report,
) -> Mapping[str, SurvivorRule]:
    """Returns the rule of each customer field; the empty name holds the default."""
    rules = {"": DEFAULT_RULE}
    for name, given in file.survivorship.items():
        path = ("survivorship", name)
        if name != "default" and name not in canonical.customer_fields:
            hint = did_you_mean(name, canonical.customer_fields)
            report.add(document.key_position(path), "RV218",
                       f"unknown field {name} of customer", hint)  # fmt: skip
            continue
        key = "" if name == "default" else name
        if not isinstance(given, Trusted):
            rules[key] = SurvivorRule(given)
            continue
        for index, source in enumerate(given.trusted):
            if source not in sources:
                at = document.position((*path, "trusted", index))
                hint = did_you_mean(source, sources)
                report.add(at, "RV227", f"unknown source {source}", hint)
        rules[key] = SurvivorRule("trusted", given.trusted)
    return rules
