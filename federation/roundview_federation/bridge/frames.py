"""Decides how frames become calls and answers become frames: binary protocol, framed transport.

Decoding goes through Apache's C code, bounded by the frame: no list or text is longer than the
frame that claims it, and deep nesting is refused. thriftpy2 believes such claims: a frame of some
bytes occupies it for minutes, or brings what lay in memory behind it.
"""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.protocol.TProtocol import TProtocolException
from thrift.Thrift import TApplicationException, TMessageType
from thrift.transport.TTransport import TMemoryBuffer

from roundview_federation.bridge.messages import CALLS, Failed, Failure, Struct, Unknown

_VERSION: Final = 0x80010000
_HEAD: Final = struct.Struct(">Ii")
_WORD: Final = struct.Struct(">i")
_SUCCESS: Final = b"\x0c\x00\x00"
_STOP: Final = b"\x00"
_LONGEST_NAME: Final = 64
_LARGE_FRAME: Final = 64 * 1024
_CALLS: Final = MappingProxyType({call.name: call for call in CALLS})
_BROKEN: Final = (
    EOFError,
    OverflowError,
    RecursionError,
    TProtocolException,
    TypeError,
    ValueError,
    struct.error,
)

S = TypeVar("S", bound=Struct)


class MalformedError(Exception):
    """Bytes that are no message of the protocol."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `method` is None for one that there is not, `data` its encoded arguments."""

    name: bytes
    sequence: int
    method: type[Any] | None
    data: bytes


def read_call(frame: bytes) -> Call:
    """Returns the call in a frame; raises MalformedError for anything else."""
    try:
        version, length = _HEAD.unpack_from(frame)
        end = _HEAD.size + length
        (sequence,) = _WORD.unpack_from(frame, end)
    except struct.error:
        raise MalformedError from None
    if version != _VERSION | TMessageType.CALL or not 0 < length <= _LONGEST_NAME:
        raise MalformedError
    name = frame[_HEAD.size : end]
    method = _CALLS.get(name.decode("ascii", "replace"))
    return Call(name, sequence, method, frame[end + _WORD.size :])


def decode(data: bytes, of: type[S]) -> S:
    """Returns the struct that bytes begin with; raises MalformedError."""
    transport = TMemoryBuffer(data)
    most = len(data)
    protocol = TBinaryProtocolAccelerated(
        transport, string_length_limit=most, container_length_limit=most, fallback=False
    )
    found = of()
    with _collected_later(len(data)):
        try:
            protocol._fast_decode(found, protocol, [of, of.thrift_spec])
        except _BROKEN:
            raise MalformedError from None
    return found


def encode(one: Struct) -> bytes:
    """Returns the bytes of a struct."""
    protocol = TBinaryProtocolAccelerated(TMemoryBuffer(), fallback=False)
    encoded: bytes = protocol._fast_encode(one, [type(one), one.thrift_spec])
    return encoded


def answer(call: Call, result: bytes) -> bytes:
    """Returns the frame that answers with an encoded struct."""
    return _framed(call, TMessageType.REPLY, _SUCCESS, result, _STOP)


def answer_list(call: Call, result: Struct) -> bytes:
    """Returns the frame that answers with a list, which is field 0 of `result`."""
    return _framed(call, TMessageType.REPLY, encode(result))


def failure(call: Call, message: str) -> bytes:
    """Returns the frame that says what failed; never to be retried.

    Trino would ask again up to six times, each time up to the whole deadline.
    """
    failed = Failed(failure=Failure(message=message, retryable=False))
    return _framed(call, TMessageType.REPLY, encode(failed))


def unknown_method(call: Call) -> bytes:
    """Returns the frame that answers a method that there is not."""
    error = Unknown(message="unknown method", type=TApplicationException.UNKNOWN_METHOD)
    return _framed(call, TMessageType.EXCEPTION, encode(error))


@contextmanager
def _collected_later(size: int) -> Iterator[None]:
    """Keeps the garbage collector out of the decoding of a large frame.

    Ten thousand keys are 80,000 objects, none of them garbage: 33 ms, or 470 ms with it.
    """
    is_paused = size > _LARGE_FRAME and gc.isenabled()
    if is_paused:
        gc.disable()
    try:
        yield
    finally:
        if is_paused:
            gc.enable()


def _framed(call: Call, kind: int, *parts: bytes) -> bytes:
    head = _HEAD.pack(_VERSION | kind, len(call.name)) + call.name + _WORD.pack(call.sequence)
    size = len(head) + sum(map(len, parts))
    return b"".join((_WORD.pack(size), head, *parts))
