"""The first slice: any spelling of an identifier shows the whole customer, live."""

from __future__ import annotations

import shutil
import sqlite3
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from roundview import connect
from roundview.connection import Connection
from roundview.demo.estate import Estate, make
from roundview_catalog.errors import IdentityError, RequestError


@pytest.mark.row("B1")
@pytest.mark.parametrize(
    "by",
    [
        {"phone": "+49 30 4007919"},
        {"phone": "030/4007919"},
        {"phone": "0049 (30) 400-7919"},
        {"phone": "０３０ ４００７９１９"},
        {"email": "PERSON1@GMAIL.COM"},
        {"email": "per.son1+shop@googlemail.com"},
        {"loyalty_no": "l 000001"},
        {"order_number": "INV-000002"},
    ],
    ids=lambda by: next(iter(by)),
)
def test_every_identifier_finds_the_same_customer(
    roundview: Connection, by: dict[str, str]
) -> None:
    view = roundview.customer(**by).to_dict()
    assert (view["given_name"], view["family_name"]) == ("Anna", "Keller")
    assert {row["source"] for row in view["individual"]} == {"crm", "pos"}
    assert view["complete"]


def test_unknown_is_null(roundview: Connection) -> None:
    assert not roundview.customer(phone="+49 30 1").found
    assert not roundview.customer(email="nobody@nowhere.example").found
    assert not roundview.customer(order_number="INV-999999").found
    assert not roundview.customer(customer_id="not-an-id").found


@pytest.mark.parametrize(
    "by",
    [{"phone": "abc"}, {"email": "no-at-sign"}, {"email": "a\x00b@c.de"},
     {"phone": "1" * 1_000_000}, {"email": "%' OR 1=1 --"}, {"shoe_size": "44"}],
    ids=["letters", "no at", "NUL", "1 MB", "wildcard", "kind"],
)  # fmt: skip
def test_impossible_identifiers_are_refused(roundview: Connection, by: dict[str, str]) -> None:
    with pytest.raises(RequestError) as caught:
        roundview.customer(**by)
    assert caught.value.code == "RV101"


def test_a_right_to_left_mark_changes_nothing(roundview: Connection) -> None:
    assert roundview.customer(phone="\u200f+49 30 4007919").found


def test_totals_equal_hand_written_sums(roundview: Connection, estate: Estate) -> None:
    view = roundview.customer(loyalty_no="L-000001").to_dict()
    expected = _totals(estate, 100_001)
    assert {o["order_number"]: o["grand_total"] for o in view["sales_order"]} == expected
    lines = {o["order_number"]: len(o["sales_order_product"]) for o in view["sales_order"]}
    assert all(count >= 1 for count in lines.values())


def test_every_person_of_the_tills_has_the_orders_that_sql_finds(
    roundview: Connection, estate: Estate
) -> None:
    for record in sorted(r for r in estate.truth if r.startswith("pos/"))[:40]:
        key = int(record.removeprefix("pos/"))
        try:
            view = roundview.customer(loyalty_no=f"L-{key - 100_000:06d}").to_dict()
        except IdentityError:
            continue
        mine = {o["order_number"]: o["grand_total"] for o in view["sales_order"]}
        assert _totals(estate, key).items() <= mine.items()


def test_a_dead_source_leaves_the_rest(tmp_path: Path) -> None:
    estate = make(tmp_path, people=20)
    with connect(estate.catalog, env=estate.env) as connection:
        connection.refresh()
    (tmp_path / "pos.db").unlink()
    with connect(estate.catalog, env=estate.env) as connection:
        view = connection.customer(phone="+49304007919").to_dict()
        assert view["given_name"] == "Anna"
        assert not view["complete"]
        status = {source["name"]: source["status"] for source in view["sources"]}
        assert status == {"crm": "ok", "pos": "failed"}


def test_garbage_instead_of_a_database_is_labelled(tmp_path: Path) -> None:
    estate = make(tmp_path, people=20)
    with connect(estate.catalog, env=estate.env) as connection:
        connection.refresh()
    (tmp_path / "pos.db").write_bytes(b"<html>not a database</html>" * 400)
    with connect(estate.catalog, env=estate.env) as connection:
        view = connection.customer(phone="+49304007919").to_dict()
    reasons = {source["name"]: source["reason"] for source in view["sources"]}
    assert reasons == {"crm": "", "pos": "pos cannot be opened"}


def test_a_new_customer_is_found_before_the_next_refresh(tmp_path: Path) -> None:
    estate = make(tmp_path, people=20)
    with connect(estate.catalog, env=estate.env) as connection:
        connection.refresh()
        with sqlite3.connect(tmp_path / "crm.db") as db:
            db.execute(
                "INSERT INTO contacts (id, first_name, last_name, email, do_not_call)"
                " VALUES (999, 'Noor', 'Haddad', 'noor@mail.example', 0)"
            )
        db.close()
        view = connection.customer(email="Noor@Mail.example").to_dict()
    assert view["given_name"] == "Noor"
    assert view["link_state"] == "provisional"


def test_a_recycled_record_is_shown_as_mismatched(tmp_path: Path) -> None:
    estate = make(tmp_path, people=20)
    with connect(estate.catalog, env=estate.env) as connection:
        connection.refresh()
        with sqlite3.connect(tmp_path / "crm.db") as db:
            db.execute("UPDATE contacts SET first_name = 'Ottokar', last_name = 'X' WHERE id = 1")
        db.close()
        assert connection.customer(loyalty_no="L-000001").link_state == "mismatched"


def test_a_value_that_left_the_source_no_longer_finds(tmp_path: Path) -> None:
    estate = make(tmp_path, people=20)
    with connect(estate.catalog, env=estate.env) as connection:
        connection.refresh()
        with sqlite3.connect(tmp_path / "pos.db") as db:
            db.execute("UPDATE ospos_customers SET account_number = 'L-777'")
        db.close()
        assert not connection.customer(loyalty_no="L-000001").found


@pytest.mark.row("A16")
def test_no_value_of_a_source_lies_in_the_identity_store(
    estate: Estate, roundview: Connection
) -> None:
    stored = b"".join(path.read_bytes() for path in (estate.directory / "data").iterdir())
    with sqlite3.connect(estate.directory / "crm.db") as db:
        rows = db.execute("SELECT email, phone, alt_email FROM contacts").fetchall()
    db.close()
    planted = [value for row in rows for value in row if value and len(value) > 6]
    assert len(planted) > 100
    assert [value for value in planted if value.encode() in stored] == []


@pytest.mark.row("C16")
def test_links_are_right_and_most_are_found(roundview: Connection, estate: Estate) -> None:
    owners = roundview.federation.xref.assignments()
    found, true = defaultdict(set), defaultdict(set)
    for (source, key), owner in owners.items():
        found[owner].add(f"{source}/{key}")
    for record, person in estate.truth.items():
        if tuple(record.split("/")) in owners:
            true[person].add(record)
    pairs, truth = _pairs(found.values()), _pairs(true.values())
    assert len(pairs & truth) / len(pairs) > 0.99
    assert len(pairs & truth) / len(truth) > 0.7


def test_ids_survive_a_rebuild(tmp_path: Path) -> None:
    estate = make(tmp_path, people=60)
    with connect(estate.catalog, env=estate.env) as connection:
        connection.refresh()
        before = connection.federation.xref.assignments()
        done = connection.refresh()
        assert connection.federation.xref.assignments() == before
        assert (done.summary.new, done.summary.merged) == (0, 0)
        assert connection.federation.xref.is_chain_whole()


def test_a_bad_catalog_never_replaces_a_good_one(tmp_path: Path) -> None:
    estate = make(tmp_path, people=20)
    with connect(estate.catalog, env=estate.env) as connection:
        connection.refresh()
        file = estate.catalog / "sources/crm.yaml"
        good = file.read_text(encoding="utf-8")
        file.write_text(good.replace("c.first_name", "c.frist_name"), encoding="utf-8")
        assert not connection._run(connection.federation.reload())
        problem = connection.federation.reload_problem
        assert problem is not None
        assert "RV214 unknown column c.frist_name in contacts" in str(problem)
        assert connection.customer(loyalty_no="L-000001").found
        file.write_text(good.replace("title: CRM", "title: Sales"), encoding="utf-8")
        assert connection._run(connection.federation.reload())
        assert connection.customer(loyalty_no="L-000001").found


def test_the_estate_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", people=50), make(tmp_path / "b", people=50)
    assert first.truth == second.truth
    for name in ("crm.db", "pos.db"):
        assert _dump(first.directory / name) == _dump(second.directory / name)
    shutil.rmtree(tmp_path / "a")


def _dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as db:
        lines = list(db.iterdump())
    db.close()
    return lines


def _pairs(groups: object) -> set[tuple[str, str]]:
    return {(a, b) for group in groups for a in group for b in group if a < b}  # type: ignore[attr-defined]


def _totals(estate: Estate, customer: int) -> dict[str, Decimal]:
    """Sums each order by hand: plain rows, plain Decimals, no engine of ours."""
    with sqlite3.connect(estate.directory / "pos.db") as db:
        sales = db.execute(
            "SELECT sale_id, invoice_number FROM ospos_sales WHERE customer_id = ?"
            " AND sale_type IN (0, 1, 4) AND sale_status <> 1",
            (customer,),
        ).fetchall()
        totals = {}
        for sale, number in sales:
            total = Decimal(0)
            for quantity, price, discount, kind in db.execute(
                "SELECT quantity_purchased, item_unit_price, discount, discount_type"
                " FROM ospos_sales_items WHERE sale_id = ?",
                (sale,),
            ):
                line = Decimal(str(quantity)) * Decimal(str(price))
                if kind == 0:
                    total += line * (1 - Decimal(str(discount)) / 100)
                else:
                    total += line - Decimal(str(discount))
            for (tax,) in db.execute(
                "SELECT item_tax_amount FROM ospos_sales_items_taxes WHERE sale_id = ?", (sale,)
            ):
                total += Decimal(str(tax))
            totals[number] = total.quantize(Decimal("0.0001"))
    db.close()
    return totals
