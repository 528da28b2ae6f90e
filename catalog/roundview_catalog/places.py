"""Knows the names of countries, currencies and languages that sources write."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from phonenumbers.geodata.locale import LOCALE_DATA

_NAME_LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "pt")
_MORE_COUNTRIES = {
    "USA": "US", "U.S.A.": "US", "UNITED STATES OF AMERICA": "US", "UK": "GB", "ENGLAND": "GB",
    "GREAT BRITAIN": "GB", "SCOTLAND": "GB", "WALES": "GB", "DEU": "DE", "GER": "DE", "CHE": "CH",
    "AUT": "AT", "FRA": "FR", "ITA": "IT", "ESP": "ES", "GBR": "GB", "NLD": "NL", "POL": "PL",
    "BRD": "DE", "CZECH REPUBLIC": "CZ", "HOLLAND": "NL",
}  # fmt: skip
_CURRENCY_CODES = (
    "AED AUD BGN BRL CAD CHF CNY CZK DKK EGP EUR GBP HKD HRK HUF IDR ILS INR ISK JPY KRW MAD MXN "
    "MYR NGN NOK NZD PEN PHP PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
)
_MORE_CURRENCIES = {"€": "EUR", "£": "GBP", "$": "USD", "FR.": "CHF", "SFR": "CHF", "¥": "JPY"}
_LANGUAGE_NAMES = {
    "GERMAN": "de", "DEUTSCH": "de", "ENGLISH": "en", "ENGLISCH": "en", "FRENCH": "fr",
    "FRANÇAIS": "fr", "ITALIAN": "it", "ITALIANO": "it", "SPANISH": "es", "ESPAÑOL": "es",
    "DUTCH": "nl", "POLISH": "pl", "TURKISH": "tr", "ARABIC": "ar", "CHINESE": "zh",
}  # fmt: skip


def _countries() -> Mapping[str, str]:
    table: dict[str, str] = {}
    for code, names in LOCALE_DATA.items():
        for language in _NAME_LANGUAGES:
            name = names.get(language, "")
            if name.startswith("*"):
                name = names.get(name[1:], "")
            if name:
                table.setdefault(name.upper(), code)
    for code in LOCALE_DATA:
        table[code] = code
    return MappingProxyType(table | _MORE_COUNTRIES)


def _languages() -> Mapping[str, str]:
    table = dict(_LANGUAGE_NAMES)
    for code in [
        "ar",
        "bg",
        "cs",
        "da",
        "de",
        "el",
        "en",
        "es",
        "et",
        "fa",
        "fi",
        "fr",
        "he",
        "hi",
        "hr",
        "hu",
        "id",
        "is",
        "it",
        "ja",
        "ko",
        "lt",
        "lv",
        "nl",
        "no",
        "pl",
        "pt",
        "ro",
        "ru",
        "sk",
        "sl",
        "sr",
        "sv",
        "th",
        "tr",
        "uk",
        "vi",
        "zh",
    ]:
        table[code.upper()] = code
        table |= {f"{code}-{region}".upper(): code for region in LOCALE_DATA}
    return MappingProxyType(table)


COUNTRIES = _countries()
"""Upper-case name or code -> ISO 3166-1 alpha-2."""

CURRENCIES: Mapping[str, str] = MappingProxyType(
    {code: code for code in _CURRENCY_CODES.split()} | _MORE_CURRENCIES
)
"""Upper-case name, sign or code -> ISO 4217."""

LANGUAGES = _languages()
"""Upper-case name or tag -> primary language subtag of BCP 47."""
