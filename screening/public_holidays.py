"""The public holidays of a country, from the package ``holidays``. Pure."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

YEARS = range(2025, 2051)
"""The years whose holidays are known; the doctor reports when they end."""


@lru_cache(8)
def public_holidays(country: str) -> Mapping[date, str]:
    """Return date and name of a country's public holidays in ``YEARS`` (``US``). Raises ValueError if it is unknown.

    A holiday on a weekend has two days: its own, and the business day on which it is observed.
    """
    import holidays  # slow to load, and not needed where the clinic file lists its holidays

    try:
        return MappingProxyType(dict(holidays.country_holidays(country, years=YEARS)))
    except NotImplementedError:
        raise ValueError(f"no list of the holidays of {country}") from None
