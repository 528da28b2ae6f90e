"""Lists what the Python text of an expression may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from roundview_catalog import normalizers
from roundview_catalog.expressions import arithmetic, casts, closures, times

_NAMED: tuple[Callable[..., Any], ...] = (
    casts.to_text,
    casts.to_integer,
    casts.to_bigint,
    casts.to_decimal,
    casts.to_float,
    casts.to_boolean,
    casts.to_date,
    casts.to_timestamp,
    casts.to_timestamptz,
    casts.to_uuid,
    casts.to_json,
    casts.attempt,
    casts.cut,
    times.shift,
    times.add_days,
    times.days_between,
    times.midnight,
    times.midnight_utc,
    times.date_trunc,
    times.extract,
    times.from_epoch,
    times.local_to_instant,
    times.instant_to_local,
    arithmetic.fits_integer,
    arithmetic.fits_bigint,
    arithmetic.fits_float,
    arithmetic.exact_divide,
    arithmetic.exact_modulo,
    arithmetic.whole_divide,
    arithmetic.whole_modulo,
    arithmetic.float_divide,
    arithmetic.negative,
    arithmetic.absolute,
    arithmetic.rounded,
    arithmetic.floor,
    arithmetic.ceil,
    closures.lower,
    closures.upper,
    closures.left,
    closures.right,
    closures.substring,
    closures.replace,
    closures.split_part,
    closures.strpos,
    closures.lpad,
    closures.rpad,
    closures.trim,
    closures.ltrim,
    closures.rtrim,
    closures.concat,
    closures.concat_ws,
    closures.like,
    closures.ilike,
    closures.is_in,
    closures.greatest,
    closures.least,
    closures.json_get,
    closures.json_text,
    arithmetic.aggregate_sum,
    closures.aggregate_count,
    arithmetic.aggregate_avg,
    closures.aggregate_min,
    closures.aggregate_max,
    closures.aggregate_or,
    closures.aggregate_and,
    closures.aggregate_text,
    closures.distinct,
    closures.normalize_email,
    closures.normalize_phone,
    closures.normalize_code,
    closures.normalize_handle,
    closures.normalize_name,
    closures.country_code,
    closures.email_domain,
    normalizers.phone_country,
    normalizers.is_mobile,
)

RUNTIME: Mapping[str, Any] = MappingProxyType(
    {call.__name__: call for call in _NAMED}
    | {
        "exact_add": casts.EXACT.add,
        "exact_subtract": casts.EXACT.subtract,
        "exact_multiply": casts.EXACT.multiply,
    }
    | {"Decimal": Decimal, "date": date, "datetime": datetime, "UTC": UTC, "len": len}
)
"""Name -> what it stands for; the values of a generated text are computed with these alone."""
