"""Decides when a folder is a catalog: loads it as one immutable snapshot or tells all mistakes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlglot import exp

from roundview_catalog import statistics_file, templates
from roundview_catalog.access_file import Access, read_access
from roundview_catalog.canonical_schema import canonical_schema, extended
from roundview_catalog.catalog_file import read_catalog_file, survivorship
from roundview_catalog.document import LARGEST, Document, read
from roundview_catalog.engines import engines_of
from roundview_catalog.errors import CatalogError, Position, Problem
from roundview_catalog.mapping import check_mirrors
from roundview_catalog.model import Canonical, Catalog, Deadlines, Source
from roundview_catalog.policy import Policy, PolicyTest
from roundview_catalog.policy_file import read_policy
from roundview_catalog.policy_tests import read_policy_tests
from roundview_catalog.report import Report, TooManyProblems, did_you_mean
from roundview_catalog.source_file import outline, read_source

_MAIN = "roundview.yaml"
_TESTS = "policy_tests.yaml"
_SINGLE_FILES = (_MAIN, "policy.yaml", _TESTS, "identity.yaml", "access.yaml")
_FOLDERS = ("sources", "entities")
_SCHEMA = ".schema.yaml"
_WRITTEN = (_SCHEMA, statistics_file.SUFFIX)


def load(root: Path, *, env: Mapping[str, str] | None = None) -> Catalog:
    """Returns the catalog of a folder; raises CatalogError with every problem.

    Nothing is asked of a source. With `env`, references such as `${env:POS_URL}` that lead
    nowhere are problems; they stay unresolved in the catalog. Mistakes in policy_tests.yaml are
    not: a role that must go at once goes, whatever tests still name it.

    >>> catalog = load(Path("catalog"), env=os.environ)
    """
    report = Report()
    catalog = _load_all(root, report, env)
    if report.problems or catalog is None:
        raise CatalogError(report.problems)
    _forget_positions(catalog)
    return catalog


def check(root: Path, *, env: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    """Returns every problem of a catalog folder, sorted by place."""
    report = Report()
    _load_all(root, report, env, tests=report)
    return tuple(sorted(set(report.problems)))


def source_outline(root: Path, name: str) -> Source:
    """Returns a source without its mappings, so that it can be introspected.

    Raises CatalogError if there is no such source or it cannot be asked as it is written.
    """
    report = Report()
    files = _Files(root, report)
    document = files.source(name)
    source = None
    if document is not None:
        schema = files.document(f"sources/{name}{_SCHEMA}", Report())
        with suppress(TooManyProblems):
            source = outline(document, schema, root, report)
    elif not report.problems:
        hint = did_you_mean(name, files.source_names) or "write its file first"
        at = Position(f"sources/{name}.yaml", 1, 1)
        report.add(at, "RV227", f"there is no source {name}", hint)
    if report.problems or source is None:
        raise CatalogError(report.problems)
    return source


def source_documents(root: Path, name: str) -> tuple[Document | None, Document | None]:
    """Returns a source's file over its templates, and its schema file: they know every place.

    None stands for a file that is absent or no YAML.
    """
    files = _Files(root, Report())
    return files.source(name), files.document(f"sources/{name}{_SCHEMA}")


class _Files:
    """The folder's files, each read once, so that version and content belong together."""

    def __init__(self, root: Path, report: Report) -> None:
        self.root = root
        self.report = report
        self.texts: dict[str, str] = {}
        for name in _names(root, report):
            text = _text(root / name, name, report)
            if text is not None:
                self.texts[name] = text
        self._documents: dict[str, Document | None] = {}

    @property
    def source_names(self) -> list[str]:
        """Returns the names of the sources, sorted."""
        names = [n.removeprefix("sources/") for n in self.texts if n.startswith("sources/")]
        others = (_SCHEMA, templates.SUFFIX, statistics_file.SUFFIX)
        return sorted(n.removesuffix(".yaml") for n in names if not n.endswith(others))

    def document(self, name: str, report: Report | None = None) -> Document | None:
        """Returns a file as a document, None if it is absent or no YAML."""
        if name not in self.texts:
            return None
        if name not in self._documents:
            self._documents[name] = read(self.texts[name], name, report or self.report)
        return self._documents[name]

    def source(self, name: str) -> Document | None:
        """Returns a source's file over the templates it uses, None if something is absent."""
        document = self.document(f"sources/{name}.yaml") if name in self.source_names else None
        if document is None:
            return None
        known = [*templates.shipped_names(), *templates.own_names(list(self.texts))]
        return templates.layered(document, self._template, known, self.report)

    def _template(self, file: str) -> Document | None:
        shipped = templates.shipped(file)
        if shipped is not None and file not in self.texts:
            # Kept with the others, so that the version has its content.
            self.texts[file] = shipped.read_text(encoding="utf-8")
        return self.document(file)

    def version(self) -> str:
        """Returns the hash of all content and of our own version."""
        digest = hashlib.sha256(_own_version().encode())
        for name in sorted(self.texts):
            content = self.texts[name].encode("utf-8", "surrogatepass")
            digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:16]


def _load_all(
    root: Path, report: Report, env: Mapping[str, str] | None, tests: Report | None = None
) -> Catalog | None:
    try:
        return _load(root, report, env, tests or Report())
    except TooManyProblems as full:
        # It may be the report of one part, which nobody joined to ours any more.
        report.problems += [one for one in full.problems if one not in report.problems]
        return None


def _load(
    root: Path, report: Report, env: Mapping[str, str] | None, of_tests: Report
) -> Catalog | None:
    files = _Files(root, report)
    main = files.document(_MAIN)
    if _MAIN not in files.texts and not report.problems:
        at = Position(_MAIN, 1, 1)
        report.add(at, "RV220", "the file is missing", "write `roundview: 1` and a name")
    settings = read_catalog_file(main, report) if main is not None else None
    own = [
        document
        for name in sorted(files.texts)
        if name.startswith("entities/") and (document := files.document(name)) is not None
    ]
    canonical = extended(canonical_schema(), own, files.document("identity.yaml"), report)
    sources: dict[str, Source] = {}
    for name in files.source_names:
        document = files.source(name)
        schema = files.document(f"sources/{name}{_SCHEMA}")
        if document is None:
            continue
        source = read_source(document, schema, root, canonical, report, env=env)
        if source is None:
            continue
        statistics = files.document(f"sources/{name}{statistics_file.SUFFIX}")
        if statistics is not None:
            source = statistics_file.with_statistics(source, statistics, report)
        sources[source.name] = source
    check_mirrors(sources, files.source_names, report)
    _check_written(files, report)
    policy = files.document("policy.yaml")
    rules = read_policy(policy, canonical, report) if policy is not None else Policy()
    tests = files.document(_TESTS, of_tests)
    access = files.document("access.yaml")
    if settings is None or main is None:
        return None
    return Catalog(
        name=settings.name,
        owner_version=settings.version,
        version=files.version(),
        root=root,
        canonical=canonical,
        sources=sources,
        policy=rules,
        policy_tests=_policy_tests(tests, rules, canonical, of_tests),
        survivorship=survivorship(settings, main, canonical, files.source_names, report),
        deadlines=Deadlines(
            view=settings.deadlines.view, probe=settings.deadlines.probe, sql=settings.deadlines.sql
        ),
        engines=engines_of(settings.engines),
        access=read_access(access, report) if access is not None else Access(),
    )


def _policy_tests(
    document: Document | None, policy: Policy, canonical: Canonical, report: Report
) -> tuple[PolicyTest, ...]:
    if document is None:
        return ()
    try:
        return read_policy_tests(document, policy, canonical, report)
    except TooManyProblems:
        return ()


def _forget_positions(catalog: Catalog) -> None:
    """Drops from every tree where it stood in its file.

    Planning copies trees all the time, and copying the positions takes longer than the trees.
    """
    branches = (branch for source in catalog.sources.values() for branch in source.branches)
    seen: set[int] = set()
    for tree in _trees((*branches, catalog.canonical.entities, catalog.policy)):
        if id(tree) in seen:
            continue
        seen.add(id(tree))
        for node in tree.walk():
            node._meta = None


def _trees(value: Any) -> Iterator[exp.Expr]:
    if isinstance(value, exp.Expr):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _trees(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from _trees(one)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _trees(getattr(value, field.name))


def _names(root: Path, report: Report) -> Iterator[str]:
    """Yields the catalog's files; a file that would be overlooked is a problem."""
    if not root.is_dir():
        report.add(Position(str(root.name), 1, 1), "RV200", "there is no such folder")
        return
    known = [*_SINGLE_FILES, *_FOLDERS]
    for path in sorted(root.iterdir()):
        if path.suffix not in (".yaml", ".yml") or path.name.startswith("."):
            continue
        if not path.name.isprintable():
            _refuse_name(Position(_MAIN, 1, 1), report)
            continue
        at = Position(path.name, 1, 1)
        if path.name in _SINGLE_FILES:
            yield path.name
        else:
            hint = did_you_mean(path.name, known) or "sources lie in sources/"
            report.add(at, "RV205", "not a file of a catalog", hint)
    for folder in _FOLDERS:
        inside = root / folder
        for path in sorted(inside.iterdir()) if inside.is_dir() else ():
            if path.name.startswith(".") or path.suffix not in (".yaml", ".yml"):
                continue
            if not path.name.isprintable():
                _refuse_name(Position(folder, 1, 1), report)
                continue
            if path.suffix == ".yml":
                report.add(Position(f"{folder}/{path.name}", 1, 1), "RV205",
                           "not a file of a catalog", "end its name in .yaml")  # fmt: skip
                continue
            yield f"{folder}/{path.name}"


def _refuse_name(at: Position, report: Report) -> None:
    # Bytes that are no UTF-8, and marks that would steer the terminal which shows the problem.
    report.add(at, "RV205", "a file with a name that cannot be shown", "rename it")


def _text(path: Path, name: str, report: Report) -> str | None:
    start = Position(name, 1, 1)
    try:
        if not path.is_file():
            # Opening a pipe would wait for whoever writes into it.
            raise OSError
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError:
        report.add(start, "RV200", "the file cannot be read", "make it a readable file")
        return None
    if len(content) > LARGEST:
        report.add(start, "RV204", "the file has more than 1 MiB", "split it")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        report.add(Position(name, line, column), "RV200", "not UTF-8", "save it as UTF-8")
        return None


def _check_written(files: _Files, report: Report) -> None:
    """Refuses what was written for a source that is no more."""
    for name in files.texts:
        suffix = next((one for one in _WRITTEN if name.endswith(one)), "")
        if name.startswith("sources/") and suffix:
            source = name.removeprefix("sources/").removesuffix(suffix)
            if source not in files.source_names:
                hint = did_you_mean(source, files.source_names) or "remove it"
                report.add(Position(name, 1, 1), "RV227", f"unknown source {source}", hint)


def _own_version() -> str:
    try:
        return version("roundview")
    except PackageNotFoundError:
        return "0"
