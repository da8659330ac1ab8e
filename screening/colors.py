"""Mixing and contrast of colors, as WCAG 2.2 defines it. Pure."""

from itertools import pairwise


def mixed(color: str, ground: str, share: float) -> str:
    """Return ``#rrggbb`` with this share of a color on a ground."""
    parts = ((int(color[at : at + 2], 16), int(ground[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(share * top + (1 - share) * below):02x}" for top, below in parts)


def luminance(color: str) -> float:
    """Return the relative luminance of ``#rrggbb``, 0 (black) to 1 (white), as WCAG 2.2 defines it."""
    channels = [int(color[start:end], 16) / 255 for start, end in pairwise((1, 3, 5, 7))]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colors, 1 to 21, as WCAG 2.2 defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
