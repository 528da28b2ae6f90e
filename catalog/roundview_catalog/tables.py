"""Decides how tables of sources without a schema are declared: REST resources and files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    field_validator,
    model_validator,
)

from roundview_catalog.durations import seconds
from roundview_catalog.types import parse_type

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SAFE_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


class Shape(BaseModel):
    """What every part of a catalog file obeys: no unknown keys, no change after reading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=False, use_attribute_docstrings=True
    )


def _one_or_many(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


Names = Annotated[
    tuple[str, ...], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])
]


def _type_name(value: Any) -> Any:
    if isinstance(value, str):
        parse_type(value)
    return value


TypeName = Annotated[str, BeforeValidator(_type_name)]
"""A type as `types.parse_type` reads it: bigint, text, decimal(18,4), enum(a, b)."""


class Column(Shape):
    """One column of a REST or file table."""

    type: TypeName
    """Its type: text, bigint, decimal(18,4), timestamp, timestamptz, boolean, date, json …"""
    path: str = ""
    """REST: where the value lies in a row (`custom_fields[name=phone].value`); `^id` is the
    column of the row above in a table made by `in`. Empty means the column's own name."""
    format: str = ""
    """REST: iso, epoch_s or epoch_ms. Files: a strptime format such as `%d.%m.%Y %H:%M`."""
    nullable: StrictBool = True
    """Whether the value may be missing."""


def _column(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Columns = Mapping[
    str, Annotated[Column, BeforeValidator(_column, json_schema_input_type=str | Column)]
]


class AccessPath(Shape):
    """One way to ask for rows; every `{column}` in it is a required equality."""

    path: str = ""
    """Path below the base URL: `/users/{user_id}/tickets`."""
    post: str = ""
    """Path that is asked by POST, which here only asks: nothing is changed by it."""
    body: Mapping[str, Any] = Field(default_factory=dict)
    """JSON that is POSTed. A text that is `{column}` and nothing else becomes the value, a list
    of such a text alone becomes a list of values: `{user_ids: ["{user_id}"]}`."""
    max: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = None
    """Most values of a list in the body; more are asked in several calls."""
    rows: str | None = None
    """Overrides the table's `rows` for this path; `.` means the answer is one row."""

    @property
    def target(self) -> str:
        """Returns the path, however it is asked."""
        return self.path or self.post

    @property
    def columns(self) -> tuple[str, ...]:
        """Returns the columns that the path needs, in order."""
        named = (*_PLACEHOLDER.findall(self.target), *self.placeholders())
        return tuple(dict.fromkeys(named))

    def placeholders(self, *, lists: bool = False) -> tuple[str, ...]:
        """Returns the columns in the body; with `lists` only those that take many values."""
        return tuple(name for name, is_list in _bound_in(self.body) if is_list or not lists)

    @field_validator("path", "post")
    @classmethod
    def _is_relative(cls, value: str) -> str:
        rest = _PLACEHOLDER.sub("", value)
        if not value.startswith("/") or value.startswith("//") or re.search(r"[{}\s\\#]", rest):
            raise ValueError("a path begins with one / and holds {column} parts only")
        if any(part in (".", "..") for part in rest.split("?")[0].split("/")):
            raise ValueError("a path must not hold . or .. parts")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.path) == bool(self.post):
            raise ValueError("a way to ask has `path` or `post`")
        if self.path and self.body:
            raise ValueError("`body` belongs to `post`")
        if len(self.placeholders(lists=True)) > 1:
            raise ValueError("a body takes many values of one column only")
        if set(self.placeholders(lists=True)) & set(_PLACEHOLDER.findall(self.target)):
            raise ValueError("a path takes one value of a column, its body must not take many")
        if self.max is not None and not self.placeholders(lists=True):
            raise ValueError('`max` belongs to a body with a list: ["{column}"]')
        return self


def placeholder(value: Any) -> str:
    """Returns the column that a text of a body stands for, an empty text if it is itself.

    >>> placeholder("{user_id}"), placeholder("of {user_id}")
    ('user_id', '')
    """
    match = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else ""


def _bound_in(body: Any) -> Iterator[tuple[str, bool]]:
    """Yields each column that a body names and whether it takes many values."""
    if isinstance(body, Mapping):
        for value in body.values():
            yield from _bound_in(value)
    elif isinstance(body, list | tuple):
        if len(body) == 1 and placeholder(body[0]):
            yield placeholder(body[0]), True
            return
        for value in body:
            yield from _bound_in(value)
    elif placeholder(body):
        yield placeholder(body), False


def _paths(value: Any) -> Any:
    return tuple({"path": one} if isinstance(one, str) else one for one in _one_or_many(value))


class PageSize(Shape):
    """How the number of rows of a page is asked for."""

    send: str
    """Query parameter, or place in the body of a POST, that carries the size."""
    max: Annotated[StrictInt, Field(ge=1, le=100_000)]
    """Most rows that the API gives on one page."""


class Page(Shape):
    """How the API cuts long answers."""

    by: Literal["cursor", "page", "offset", "link", "none"]
    """cursor (send, next) | page or offset (send; stop at last, more, a short or empty page) |
    link: the address of the next page, in the Link header or at `next`."""
    send: str = ""
    """Query parameter, or place in the body of a POST (`page.after`), that carries cursor, page
    number or offset."""
    next: str = ""
    """Path in the answer of the next cursor or address; absent or null ends the list."""
    last: str = ""
    """Path in the answer of the number of pages."""
    more: str = ""
    """Path in the answer that is false on the last page."""
    size: PageSize | None = None
    """Query parameter and largest value of the page size."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.by not in ("none", "link") and not self.send:
            raise ValueError(f"paging by {self.by} needs `send`")
        if self.by == "link" and self.send:
            raise ValueError("paging by link sends nothing: the link has it all")
        if self.by == "cursor" and not self.next:
            raise ValueError("paging by cursor needs `next`")
        if self.by not in ("cursor", "link") and self.next:
            raise ValueError("`next` belongs to paging by cursor or link")
        if self.by == "offset" and self.last:
            raise ValueError("`last` belongs to paging by page")
        return self


class Filter(Shape):
    """One comparison that the API applies itself."""

    send: str
    """Query parameter, or place in the body of a POST."""
    max: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = None
    """Most values of one `in` filter; more are asked in several calls."""
    normal_form: str = ""
    """Normalizer that a value must pass before it is sent (lower, email, phone …)."""
    separator: str = ","
    """What stands between the values of an `in` filter; empty repeats the parameter."""


def _filter(value: Any) -> Any:
    return {"send": value} if isinstance(value, str) else value


Operator = Literal["eq", "in", "gt", "ge", "lt", "le"]
Filters = Mapping[
    Operator, Annotated[Filter, BeforeValidator(_filter, json_schema_input_type=str | Filter)]
]


class FieldSelection(Shape):
    """How the API is told which fields to send."""

    send: str
    """Query parameter that takes field names, separated by commas; in the body of a POST a list."""


class RetryAfter(Shape):
    """Where a busy API says when to come back."""

    header: str = "Retry-After"
    """Name of the header."""
    format: Literal["seconds", "epoch_s", "epoch_ms", "http_date", "auto"] = "auto"
    """auto reads seconds or an HTTP date."""


class FailWhen(Shape):
    """Which answers with status 200 are errors all the same."""

    path: str
    """Path in the answer."""
    equals: str | StrictInt | StrictBool | None = Field(alias="is")
    """The value that means failure."""


class RestAnswers(Shape):
    """What tables of one API have in common; `table_defaults` has exactly these keys."""

    rows: str = ""
    """Path to the list of rows; empty: the answer is the list; `.`: the answer is one row."""
    page: Page | None = None
    """How long answers are cut; none means that an answer is whole."""
    fields: FieldSelection | None = None
    """Present if the API can leave fields out."""
    absent: tuple[Annotated[StrictInt, Field(ge=400, le=599)], ...] = ()
    """Status codes besides 404 that mean `no rows` on a path with a {column}."""
    retry_after: RetryAfter = RetryAfter()
    """How 429 and 503 say when to come back."""
    fail_when: FailWhen | None = None
    """Errors that come with status 200."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    """Headers sent with every call, never secrets (those belong under connection.auth)."""

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name, text in value.items():
            if not _SAFE_HEADER.fullmatch(name) or not text.isprintable():
                raise ValueError("a header has a plain name and one line of text")
        return value


class RestTable(RestAnswers):
    """One resource of an API, read as a table."""

    get: Annotated[
        tuple[AccessPath, ...],
        BeforeValidator(_paths, json_schema_input_type=str | AccessPath | list[str | AccessPath]),
    ] = ()
    """Access paths; one without {column} is the scan."""
    within: str | None = Field(default=None, alias="in")
    """Name of the table whose rows hold these rows as an array at `rows`: no call of its own."""
    hold: Annotated[float, BeforeValidator(seconds, json_schema_input_type=str)] | None = None
    """A small table without customers: fetched whole, kept in memory that long (10m), may be
    JOINed."""
    key: Names = ()
    """Columns that name a row."""
    order: str = ""
    """Order in which pages come, `-created` for newest first."""
    filters: Mapping[str, Filters] = Field(default_factory=dict)
    """Comparisons that the API applies: column -> operator -> query parameter."""
    columns: Columns
    """Columns that exist for mappings."""

    def answering(self, defaults: RestAnswers) -> RestTable:
        """Returns the table with what it leaves out taken from `table_defaults`."""
        if self.within is not None:
            return self
        missing = set(RestAnswers.model_fields) - self.model_fields_set
        given = {name: getattr(defaults, name) for name in missing & defaults.model_fields_set}
        return self.model_copy(update=given) if given else self

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.within is None and not self.get:
            raise ValueError("a table needs `get` (paths) or `in` (the table that holds it)")
        if self.within is not None and (self.get or self.filters or self.page or self.hold):
            raise ValueError("a table made by `in` has no get, filters, page or hold of its own")
        if self.hold is not None and all(path.columns for path in self.get):
            raise ValueError("a table is held whole: it needs a path without {column}")
        for column in self.columns.values():
            if column.format not in ("", "iso", "epoch_s", "epoch_ms"):
                raise ValueError(f"format {column.format} is not iso, epoch_s or epoch_ms")
        return self


class BucketBy(Shape):
    """Which file of a bucketed path holds which keys."""

    column: str
    """Column whose value picks the bucket."""
    buckets: Annotated[StrictInt, Field(ge=1, le=65_536)]
    """Number of buckets."""
    hash: Literal["mod", "crc32", "murmur3_32"] = "mod"
    """How a value becomes a bucket: value modulo buckets, or a hash of its text first."""


class FileTable(Shape):
    """One table made of files below the connection's root."""

    path: str
    """Path or pattern below the root: `events/bucket=*/part.parquet`."""
    format: Literal["", "parquet", "csv", "jsonl"] = ""
    """Taken from the file's name if absent."""
    bucket_by: BucketBy | None = None
    """Names the bucket rule of a path with `bucket=*`."""
    key: Names = ()
    """Columns that name a row."""
    columns: Columns = Field(default_factory=dict)
    """Types that the file does not say itself; the rest comes from the schema file."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """CSV: what separates values."""

    @property
    def kind(self) -> str:
        """Returns parquet, csv or jsonl."""
        return self.format or _SUFFIXES[self.path.rpartition(".")[2].lower()]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.path.startswith(("/", "~")) or ".." in self.path.split("/") or ":" in self.path:
            raise ValueError("a path lies below the root of the connection")
        if not self.format and self.path.rpartition(".")[2].lower() not in _SUFFIXES:
            raise ValueError("the path's ending says nothing: write format: parquet, csv or jsonl")
        if (self.bucket_by is None) != ("bucket=*" not in self.path):
            raise ValueError("`bucket_by` and a path with bucket=* belong together")
        return self


_SUFFIXES: Mapping[str, Literal["parquet", "csv", "jsonl"]] = {
    "parquet": "parquet", "pq": "parquet", "csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl",
    "json": "jsonl",
}  # fmt: skip
