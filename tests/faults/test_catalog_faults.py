"""Proves that a hostile catalog is told about at once and never half loaded."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from roundview_catalog import loader
from roundview_catalog.errors import CatalogError
from roundview_catalog.report import MOST_PROBLEMS

COMPANY = Path(__file__).parents[1] / "catalog/company"
ENV = {"SHOP_DB": "shop.db", "DESK_URL": "http://127.0.0.1", "DESK_TOKEN": "t0ken"}
MIB = 1024 * 1024
SHOP = (COMPANY / "sources/shop.yaml").read_bytes()
HEAD = SHOP.partition(b"\nentities:")[0]
LOOSE_SECONDS = 4.0


def filled(unit: bytes, start: bytes = b"", end: bytes = b"") -> bytes:
    """Returns a file of one MiB of repetitions."""
    return start + unit * ((MIB - len(start) - len(end)) // len(unit)) + end


def individual(expression: bytes, times: int = 0) -> bytes:
    """Returns the shop with an expression in one field, or in one field of many slots."""
    mapping = HEAD + b"\nentities:\n  individual:\n    from: customers c\n    fields:\n"
    if not times:
        return mapping + b"      given_name: >-\n        " + expression + b"\n"
    slots = b"".join(
        b"      s%d:\n        given_name: >-\n          %s\n" % (at, expression)
        for at in range(times)
    )
    return mapping + b"      family_name: c.last\n    each:\n" + slots


def laughs() -> bytes:
    """Returns nine levels of nine aliases each: 387 million values for who follows them."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(rows).encode()


CASES = {
    "billion laughs": (laughs(), "RV203"),
    "laughs after a good file": (SHOP + b"\n" + laughs(), "RV203"),
    "deep lists": (SHOP + b"\nx: " + b"[" * 500_000, "RV204"),
    "deep maps": (b"{a: " * 200_000, "RV204"),
    "deep blocks": (b"\n".join(b" " * n + b"a:" for n in range(1_000)), "RV204"),
    "more than a MiB": (filled(b"x", b"a: ") + b"x" * 10, "RV204"),
    "one scalar": (filled(b"x", b"a: "), "RV205"),
    "keys": (b"".join(b"k%d: 1\n" % n for n in range(90_000)), "RV204"),
    "one key again and again": (filled(b"a: 1\n"), "RV202"),
    "flow items": (filled(b"{a: 1},", b"a: [", b"1]"), "RV204"),
    "anchors": (filled(b"- &a x\n"), "RV203"),
    "aliases": (filled(b"- *a\n"), "RV203"),
    "tags": (filled(b"- !!str x\n"), "RV203"),
    "code": (b"!!python/object/apply:os.system [x]", "RV203"),
    "merge keys": (filled(b"<<: x\n"), "RV203"),
    "cut by comments": (filled(b"- x #y\n"), "RV208"),
    "UTF-16": (SHOP.decode().encode("utf-16"), "RV200"),
    "Latin 1": (SHOP + b"# \xe9\n", "RV200"),
    "surrogates": (SHOP + b"# \xed\xa0\x80", "RV200"),
    "NUL": (SHOP + b"\0", "RV201"),
    "next line": (SHOP + "# \u0085".encode(), "RV201"),
    "two byte order marks": (b"\xef\xbb\xbf" * 2 + SHOP, "RV201"),
    "carriage returns alone": (SHOP.replace(b"\n", b"\r"), "RV201"),
    "two documents": (SHOP + b"\n---\n" + SHOP, "RV201"),
    "unknown keys": (SHOP + b"".join(b"zz%d: 1\n" % n for n in range(10_000)), "RV205"),
    "open references": (SHOP.replace(b"${env:SHOP_DB}", b"${env:" * 20_000), "RV223"),
    "parentheses": (individual(b"(" * 2_000 + b"c.first" + b")" * 2_000), "RV204"),
    "long SQL": (individual(b" || ".join([b"c.first"] * 20_000)), "RV204"),
    "much SQL": (individual(b" || ".join([b"c.first"] * 740), 40), "RV204"),
    "digits": (individual(b"9" * 8_000), "RV210"),
    "an exponent": (individual(b"1e" + b"9" * 5_000), "RV210"),
    "entities": (
        HEAD + b"\nentities:\n" + b"".join(b"  e%d: {from: customers c}\n" % n for n in range(9_000)),
        "RV217",
    ),
    "names as in code": (SHOP.replace(b"individual:", b"__proto__:"), "RV217"),
}  # fmt: skip


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return Path(shutil.copytree(COMPANY, tmp_path / "catalog"))


def mistakes(catalog: Path) -> list[tuple[str, str, str]]:
    """Returns file, code and text of each problem; the catalog must not load, nor take long."""
    started = time.process_time()
    with pytest.raises(CatalogError) as caught:
        loader.load(catalog, env=ENV)
    assert time.process_time() - started < LOOSE_SECONDS
    assert 0 < len(caught.value.problems) <= MOST_PROBLEMS + 1
    return [(one.position.file, one.code, str(one)) for one in caught.value.problems]


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_told_about_and_loads_nothing(catalog: Path, name: str) -> None:
    content, code = CASES[name]
    (catalog / "sources/shop.yaml").write_bytes(content)
    found = mistakes(catalog)
    assert code in {known for file, known, _ in found if file == "sources/shop.yaml"}
    for _, _, text in found:
        assert len(text) < 500
        assert "Traceback" not in text


def test_near_names_are_looked_for_in_wide_tables_too(catalog: Path) -> None:
    schema = catalog / "sources/shop.schema.yaml"
    columns = "".join(f"      column_number_{n}: {{type: text}}\n" for n in range(2_000))
    text = schema.read_text(encoding="utf-8")
    schema.write_text(text.replace("    columns:\n", f"    columns:\n{columns}", 1), "utf-8")
    slots = "".join(f"      s{n}: {{given_name: c.colunm_nunber_{n}}}\n" for n in range(300))
    mapping = "  individual:\n    from: customers c\n    fields: {family_name: c.last}\n    each:\n"
    shop = catalog / "sources/shop.yaml"
    shop.write_bytes(HEAD + f"\nentities:\n{mapping}{slots}".encode())
    found = mistakes(catalog)
    assert len(found) == 300
    assert all("did you mean" in text for _, _, text in found)


@pytest.mark.parametrize("content", [SHOP.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + SHOP])
def test_line_ends_and_a_byte_order_mark_change_nothing(catalog: Path, content: bytes) -> None:
    before = loader.load(catalog, env=ENV)
    (catalog / "sources/shop.yaml").write_bytes(content)
    after = loader.load(catalog, env=ENV)
    assert after.sources == before.sources
    assert after.version != before.version or b"\r" not in content


def test_a_link_to_something_else_is_no_catalog_file(catalog: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2: [hunter2")
    shop = catalog / "sources/shop.yaml"
    shop.unlink()
    shop.symlink_to(secret)
    assert all("hunter2" not in text for _, _, text in mistakes(catalog))
    shop.unlink()
    shop.symlink_to(tmp_path)
    assert ("sources/shop.yaml", "RV200") in [(file, code) for file, code, _ in mistakes(catalog)]
    shop.unlink()
    os.mkfifo(shop)
    assert ("sources/shop.yaml", "RV200") in [(file, code) for file, code, _ in mistakes(catalog)]


def test_a_name_that_cannot_be_shown_is_not_shown(catalog: Path) -> None:
    for name in (b"\xff.yaml", b"a\x1b[31m.yaml", "\u202elmay.yaml".encode()):
        (Path(os.fsdecode(os.fsencode(catalog / "sources") + b"/" + name))).write_text("a: 1")
    found = mistakes(catalog)
    assert {(file, code) for file, code, _ in found} == {("sources", "RV205")}
    for _, _, text in found:
        assert text.isprintable()
