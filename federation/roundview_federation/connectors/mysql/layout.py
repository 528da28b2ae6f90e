"""Decides what the columns of the server really are: their own types, charsets, collations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.mysql.sessions import Session
from roundview_federation.connectors.mysql.values import Nature

COLUMNS: Final = """
SELECT table_name, column_name, data_type, column_type, character_set_name, collation_name,
  character_maximum_length, numeric_precision, numeric_scale
FROM information_schema.columns WHERE table_schema = DATABASE()
"""

_TEXTS: Final = frozenset(
    {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}
)
_SHORT: Final = frozenset({"char", "varchar"})
_WHOLE: Final = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "bit", "year"})
_NUMBERS: Final = _WHOLE | {"decimal", "float", "double"}
_TIMES: Final = frozenset({"date", "datetime", "timestamp"})
_UTF8: Final = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})
_NAME: Final = re.compile(r"\w+", re.ASCII)
_KINDS: Final[Mapping[str, Kind]] = {
    "tinyint": Kind.INTEGER,
    "smallint": Kind.INTEGER,
    "mediumint": Kind.INTEGER,
    "int": Kind.INTEGER,
    "bigint": Kind.BIGINT,
    "bit": Kind.BIGINT,
    "year": Kind.INTEGER,
    "float": Kind.FLOAT,
    "double": Kind.FLOAT,
    "date": Kind.DATE,
    "datetime": Kind.TIMESTAMP,
    "timestamp": Kind.TIMESTAMPTZ,
    "json": Kind.JSON,
    "uuid": Kind.UUID,
}
_SAID: Final = frozenset(
    {"char", "enum", "set", "time", "binary", "varbinary", "bit", "year", "float", "inet4", "inet6"}
)
_AS_TEXT: Final = frozenset({"time", "binary", "varbinary", "inet4", "inet6"})


@dataclass(frozen=True, slots=True)
class NativeColumn:
    """One column as the server has it."""

    data_type: str
    column_type: str
    charset: str = ""
    collation: str = ""
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> NativeColumn:
        """Returns the column of a row of COLUMNS, without its two names."""
        data_type, column_type, charset, collation, length, precision, scale = row
        return cls(
            data_type.lower(),
            column_type.lower(),
            charset if charset and _NAME.fullmatch(charset) else "",
            collation if collation and _NAME.fullmatch(collation) else "",
            length,
            precision,
            scale,
        )

    @property
    def is_utf8(self) -> bool:
        """Tells whether its bytes are those of its text in UTF-8."""
        return self.charset in _UTF8

    @property
    def is_unsigned(self) -> bool:
        """Tells whether it holds no negative numbers."""
        return "unsigned" in self.column_type or self.data_type == "bit"

    @property
    def nature(self) -> Nature:
        """Returns what its values are to the server."""
        if self.data_type in _TEXTS:
            return Nature.TEXT
        if self.data_type in _NUMBERS:
            return Nature.NUMBER
        if self.data_type in _TIMES:
            return Nature.TIME
        return Nature.BYTES if self.data_type == "binary" else Nature.OTHER

    @property
    def key_type(self) -> str:
        """Returns the type that keys must have so that the column's own index serves.

        >>> NativeColumn("varchar", "varchar(80)", "latin1", "latin1_swedish_ci", 80).key_type
        'VARCHAR(80) CHARACTER SET latin1 COLLATE latin1_swedish_ci'
        """
        if self.nature is Nature.TEXT and self.charset and self.collation:
            # Cut to the column's own length a key equals nothing, because it is checked again.
            base = f"VARCHAR({self.length})" if self.data_type in _SHORT else "LONGTEXT"
            return f"{base} CHARACTER SET {self.charset} COLLATE {self.collation}"
        if self.data_type in _WHOLE:
            return "BIGINT UNSIGNED" if self.is_unsigned else "BIGINT"
        if self.data_type == "decimal":
            return f"DECIMAL({self.precision or 65},{self.scale or 0})"
        if self.data_type in ("datetime", "timestamp"):
            return "DATETIME(6)"
        if self.data_type in ("double", "float", "date"):
            return self.data_type.upper()
        return "VARCHAR(255) CHARACTER SET utf8mb4"

    @property
    def said(self) -> str:
        """Returns the server's own type where the canonical one does not say all."""
        return self.column_type if self.data_type in _SAID or self.is_unsigned else ""

    @property
    def type(self) -> Type | None:
        """Returns the canonical type, None for values that have none: BLOBs, geometry."""
        if self.column_type.startswith("tinyint(1)") or self.column_type == "bit(1)":
            return Type(Kind.BOOLEAN)
        if self.data_type == "int" and self.is_unsigned:
            return Type(Kind.BIGINT)
        if self.data_type == "decimal":
            return Type(Kind.DECIMAL, self.precision, self.scale)
        if self.data_type in _TEXTS or self.data_type in _AS_TEXT:
            return Type(Kind.TEXT)
        kind = _KINDS.get(self.data_type)
        return None if kind is None else Type(kind)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a database by table and column, both in lower case."""

    flavor: str
    columns: Mapping[tuple[str, str], NativeColumn]

    def has_table(self, physical: str) -> bool:
        """Tells whether the database has the table."""
        name = physical.lower()
        return any(table == name for table, _ in self.columns)

    def column(self, physical: str, name: str) -> NativeColumn | None:
        """Returns a column, None where the database has none of that name."""
        return self.columns.get((physical.lower(), name.lower()))


async def read_layout(session: Session, tables: Iterable[str]) -> Layout:
    """Returns the columns of some tables, in one statement."""
    names = tuple(dict.fromkeys(tables))
    rows = await session.select(f"{COLUMNS} AND table_name IN %s", (names,)) if names else []
    return Layout(
        session.flavor,
        {(row[0].lower(), row[1].lower()): NativeColumn.of(row[2:]) for row in rows},
    )
