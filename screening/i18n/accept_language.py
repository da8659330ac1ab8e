"""Language negotiation by ``Accept-Language`` (RFC 9110, 12.5.4), over primary tags: ``es-MX`` counts as ``es``."""

import re

_ENTRY = re.compile(
    r"(?P<primary>[a-z]{1,8}|\*)(?:-[a-z0-9]{1,8})*(?:[ \t]*;[ \t]*q=(?P<quality>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?"
)

ANY = "*"


def preferred_locale(header: str, locales: tuple[str, ...], default: str) -> str:
    """Return the locale with the highest quality; of equal ones, the first in the header.

    Malformed entries are ignored. ``*`` stands for each locale that is not listed, ``default`` first.
    """
    listed: dict[str, float] = {}
    for entry in header.lower().split(","):
        found = _ENTRY.fullmatch(entry.strip(" \t"))
        if found:
            quality = float(found["quality"] or 1)
            listed[found["primary"]] = max(quality, listed.get(found["primary"], 0))
    ranked: list[tuple[float, str]] = []
    for primary, quality in listed.items():
        others = sorted(set(locales) - listed.keys(), key=lambda locale: locale != default)
        ranked += [(quality, locale) for locale in (others if primary == ANY else [primary])]
    acceptable = [(quality, locale) for quality, locale in ranked if quality and locale in locales]
    return max(acceptable, key=lambda entry: entry[0])[1] if acceptable else default
