"""Decides what COPY … TO STDOUT writes: lines of text or CSV, or binary tuples."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roundview_sql.encoding.pieces import big_endian, binary_of, lengths_of
from roundview_sql.encoding.rows import COPY_DATA, encode_rows
from roundview_sql.encoding.text import text_column
from roundview_sql.failures import WireError, unsupported
from roundview_sql.lexer import STRING
from roundview_sql.messages import message
from roundview_sql.type_codes import Column
from roundview_sql.words import Words

_BINARY_HEAD: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_BINARY_END: Final = b"\xff\xff"
_OLD = ("binary", "csv", "delimiter", "null", "header", "quote", "escape", "using", "with", "force")


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How rows are written: `format` is text, csv or binary."""

    format: str = "text"
    delimiter: str = "\t"
    null: str = "\\N"
    has_header: bool = False
    quote: str = '"'
    escape: str = '"'
    force_quote: tuple[str, ...] = ()
    quotes_all: bool = False


def read_options(words: Words) -> CopyOptions:
    """Reads the options of a COPY, those in parentheses and those of old."""
    said: dict[str, str] = {}
    forced: list[str] = []
    is_listed = False
    words.accept("with")
    if words.accept_sign("("):
        is_listed = True
    while words.is_left():
        if is_listed and words.accept_sign(")"):
            break
        words.accept_sign(",")
        name = words.next().text
        if not is_listed and name in ("binary", "csv"):
            said["format"] = name
        elif name == "force_quote" or (name == "force" and words.accept("quote")):
            forced += _columns(words, is_listed=is_listed)
        elif name == "header":
            said[name] = words.value() if _has_value(words, is_listed=is_listed) else "true"
        else:
            words.accept("as")
            said[name] = words.value()
    words.end()
    return _options(said, forced)


def copy_head(options: CopyOptions, columns: Sequence[Column]) -> bytes:
    """Returns what stands before the first row: a whole message, or nothing."""
    if not options.has_header:
        return b""
    names = pa.RecordBatch.from_arrays(
        [pa.array([one.name]) for one in columns], [str(at) for at in range(len(columns))]
    )
    return bytes(_lines(names, [Column(one.name, 25) for one in columns], options))


def copy_rows(
    batch: pa.RecordBatch, columns: Sequence[Column], options: CopyOptions, *, is_first: bool
) -> memoryview:
    """Returns the CopyData messages of a batch, one per row.

    The head of a binary copy is in the message of the first row: drivers read it there.
    """
    if options.format != "binary":
        return _lines(batch, columns, options)
    rows = encode_rows(batch, columns, [1] * len(columns), tag=COPY_DATA)
    if not is_first or not rows:
        return rows
    (size,) = struct.unpack(">i", rows[1:5])
    first = message(b"d", _BINARY_HEAD, bytes(rows[5 : 1 + size]))
    return memoryview(first + bytes(rows[1 + size :]))


def copy_tail(options: CopyOptions, *, is_empty: bool) -> bytes:
    """Returns what stands behind the last row: a whole message, or nothing."""
    if options.format != "binary":
        return b""
    return message(b"d", (_BINARY_HEAD if is_empty else b"") + _BINARY_END)


def _lines(batch: pa.RecordBatch, columns: Sequence[Column], options: CopyOptions) -> memoryview:
    if not batch.num_rows:
        return memoryview(b"")
    write = _csv if options.format == "csv" else _escaped
    texts = [
        write(text_column(array, column.oid, is_exact=column.is_exact), options, column.name)
        for array, column in zip(batch.columns, columns, strict=True)
    ]
    lines = pc.cast(pc.binary_join_element_wise(*texts, options.delimiter), pa.binary())
    if options.format == "csv" and len(texts) == 1:
        # Alone in its line it would end the data.
        lines = pc.if_else(pc.equal(lines, b"\\."), b'"\\."', lines)
    sizes = lengths_of(lines)
    head = np.empty((len(lines), 5), np.uint8)
    head[:, 0] = COPY_DATA
    head[:, 1:] = big_endian(sizes + 5, ">i4")
    heads = binary_of(head, np.full(len(lines), 5, np.int32))
    made = pc.binary_join_element_wise(heads, lines, pa.scalar(b"\n"), b"")
    return memoryview(made.buffers()[2])[: len(lines) * 6 + int(sizes.sum())]


def _escaped(texts: pa.Array, options: CopyOptions, name: str) -> pa.Array:
    signs = {
        "\\": "\\\\",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\b": "\\b",
        "\f": "\\f",
        "\v": "\\v",
    }
    if options.delimiter not in signs:
        signs[options.delimiter] = f"\\{options.delimiter}"
    odd = pc.match_substring_regex(texts, "[\\\\\\n\\r\\t\\x08\\x0c\\x0b]")
    if pc.any(odd).as_py() or options.delimiter != "\t":
        for sign, written in signs.items():
            if sign != "\t" or options.delimiter == "\t":
                texts = pc.replace_substring(texts, sign, written)
    return pc.fill_null(texts, options.null)


def _csv(texts: pa.Array, options: CopyOptions, name: str) -> pa.Array:
    if options.quotes_all or name in options.force_quote:
        odd = pc.is_valid(texts)
    else:
        odd = pc.equal(texts, options.null)
        for sign in {options.delimiter, options.quote, "\n", "\r"}:
            odd = pc.or_(odd, pc.match_substring(texts, sign))
    if pc.any(odd).as_py():
        inner = texts
        if options.escape != options.quote:
            inner = pc.replace_substring(inner, options.escape, options.escape * 2)
        inner = pc.replace_substring(inner, options.quote, options.escape + options.quote)
        quoted = pc.binary_join_element_wise(options.quote, inner, options.quote, "")
        texts = pc.if_else(odd, quoted, texts)
    return pc.fill_null(texts, options.null)


def _has_value(words: Words, *, is_listed: bool) -> bool:
    if not words.is_left() or words.peek().text in (",", ")"):
        return False
    return is_listed or (words.peek().kind == STRING or words.peek().text not in _OLD)


def _columns(words: Words, *, is_listed: bool) -> list[str]:
    if words.accept_sign("*"):
        return ["*"]
    if not is_listed or not words.accept_sign("("):
        return [words.name()]
    found = [words.name()]
    while words.accept_sign(","):
        found.append(words.name())
    words.accept_sign(")")
    return found


def _options(said: dict[str, str], forced: list[str]) -> CopyOptions:
    format_ = said.pop("format", "text").lower()
    if format_ not in ("text", "csv", "binary"):
        raise WireError("22023", "COPY writes text, csv or binary")
    is_csv = format_ == "csv"
    delimiter = said.pop("delimiter", "," if is_csv else "\t")
    null = said.pop("null", "" if is_csv else "\\N")
    quote = said.pop("quote", '"')
    escape = said.pop("escape", quote)
    has_header = said.pop("header", "false").lower() in ("true", "on", "1", "yes")
    encoding = said.pop("encoding", "utf8").lower().replace("-", "")
    if encoding not in ("utf8", "unicode"):
        raise unsupported("another encoding than UTF8")
    said.pop("freeze", None)
    if said:
        raise WireError("42601", "COPY has no such option")
    if any(len(sign.encode()) != 1 for sign in (delimiter, quote, escape)):
        raise WireError("0A000", "delimiter, quote and escape of COPY are one character each")
    if delimiter in "\n\r" or (not is_csv and (delimiter.isalnum() or delimiter in "\\.")):
        raise WireError("22023", "this cannot be a delimiter of COPY")
    if has_header and format_ == "binary":
        raise WireError("0A000", "a binary COPY has no header")
    return CopyOptions(
        format_, delimiter, null, has_header, quote, escape,
        tuple(one for one in forced if one != "*"), "*" in forced,
    )  # fmt: skip
