"""Proves that what a role may see can be read from the command line."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from roundview.cli import app
from roundview.demo.estate import Estate


def run(made_estate: Estate, *arguments: str) -> str:
    """Returns the standard output of a command over the estate's catalog."""
    command = ["policy", "show", *arguments, "--catalog", str(made_estate.catalog)]
    return CliRunner().invoke(app, command).stdout


def test_a_role_is_shown_with_its_rows_fields_and_masks(made_estate: Estate) -> None:
    shop = json.loads(run(made_estate, "shop", "--json"))["purposes"]["service"]
    assert set(shop) == {"individual", "loyalty_membership", "sales_order", "sales_order_product"}
    assert "birth_date" not in shop["individual"]["fields"]
    assert "region" in shop["sales_order"]["rows"][0]
    agent = json.loads(run(made_estate, "agent", "--json"))
    assert agent["actions"] == ["reveal"]
    assert "DATE_TRUNC" in agent["purposes"]["service"]["individual"]["masks"]["birth_date"].upper()
    said = run(made_estate, "agent")
    assert "for service" in said
    assert "individual" in said


def test_an_unknown_role_is_refused(made_estate: Estate) -> None:
    command = ["policy", "show", "agnet", "--catalog", str(made_estate.catalog)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "agent" in done.stderr
