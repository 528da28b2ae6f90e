"""Runs every example of the README against a running demo, in order."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
ADDRESS = "http://127.0.0.1:8360"
LANGUAGES = {"console", "python", "graphql", "json", "text"}
Shell = Callable[..., subprocess.CompletedProcess[str]]


def test_every_example_is_of_a_kind_that_runs() -> None:
    used = re.findall(r"^```(\S*)\n", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(used) <= LANGUAGES | {""}


def test_the_first_two_commands_are_targets() -> None:
    first = re.search(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert first is not None
    targets = re.findall(r"^\$ make (\w+)$", first.group(1), re.MULTILINE)
    assert targets == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_examples_do_what_they_show(
    running_demo: Any, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(running_demo.folder)
    answers: list[dict[str, Any]] = []
    seen: list[str] = []

    def console(example: Example) -> str | None:
        seen.append("console")
        for command, expected in commands(str(example.parsed)):
            # The two commands are what runs this test; files are copied in test_demo.
            if command.startswith(("make ", "cp ")):
                continue
            line = command.replace(".venv/bin/", "").replace(ADDRESS, running_demo.base)
            done = shell("bash", "-c", line, cwd=running_demo.folder)
            got = "".join(f"{text.rstrip()}\n" for text in (done.stdout + done.stderr).splitlines())
            if not doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS):
                return f"$ {command}\n{got}"
        return None

    def graphql(example: Example) -> None:
        seen.append("graphql")
        sent = httpx.post(f"{running_demo.base}/graphql", json={"query": str(example.parsed)})
        answers.append(sent.json())

    def json_answer(example: Example) -> str | None:
        seen.append("json")
        expected = json.loads(str(example.parsed))
        got = {name: answers[-1].get(name) for name in expected}
        return None if got == expected else json.dumps(got, indent=2, ensure_ascii=False)

    parsers = [
        CodeBlockParser("console", console),
        CodeBlockParser("graphql", graphql),
        CodeBlockParser("json", json_answer),
        PythonCodeBlockParser(),
    ]
    for example in Sybil(parsers=parsers).parse(README).examples():
        example.evaluate()
    assert set(seen) == {"console", "graphql", "json"}


def commands(block: str) -> list[tuple[str, str]]:
    """Splits a console block into commands and what they print."""
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = command[:-1] + more.strip()
        found.append((command, output.rstrip("\n") + "\n" if output.strip() else ""))
    return found
