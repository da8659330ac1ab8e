"""What a reader of the workbook must know of its rows: the sheet ``about``."""

from collections.abc import Iterator, Mapping
from typing import Any

from screening.releases.row_format import SIGNS_DETAIL

DETAIL_TEXTS = {
    True: "signs: whether each sign was noticed, however often",
    False: "full: how often each sign was noticed, and the average pain",
}
DO_NOT_POOL = (
    "Do not pool releases: each hides small groups separately; together they may give them away, and count a person "
    "twice."
)
SUPPRESSED = (
    "In these rows period, age group and length of pain are `masked`, and what would tell whether pain was named. "
    "Leaving them out makes rare groups look rarer."
)
CODES = (
    "Digits are numbers. `declined`, `not_answered`, `not_shown`, `masked` and `any` are no answers and no zeros; the "
    "sheet codebook explains every code."
)


def about_rows(manifest: Mapping[str, Any], detail: str) -> Iterator[list[str]]:
    """Yield the sheet as rows of cells: the header, then what it is about and the value."""
    yield ["about", "value"]
    yield ["Release", manifest["release"]]
    yield ["Detail", DETAIL_TEXTS[detail == SIGNS_DETAIL]]
    yield ["Questionnaire", f"{manifest['questionnaire']}, version {manifest['version']}"]
    yield ["Periods", ", ".join(manifest["periods"])]
    yield ["Rows", str(manifest["rows"])]
    yield ["What a row is", manifest["rows_are"]]
    yield ["Who answered", manifest["self_selected"]]
    yield ["k asked: rows that share period, age group and length of pain, at least", str(manifest["k"]["asked"])]
    yield ["k reached: rows of the smallest such group", str(manifest["k"]["reached"])]
    yield ["Suppressed rows", str(manifest["masked_rows"])]
    yield ["What that means", SUPPRESSED]
    yield from _attack(manifest.get("measured_attack", {}).get(detail))
    yield ["What the files cannot hide", manifest["limits"]]
    yield ["Several releases", DO_NOT_POOL]
    yield ["Codes", CODES]


def _attack(measured: Mapping[str, int] | None) -> Iterator[list[str]]:
    """Yield the measured attack; releases of earlier versions have none."""
    if measured:
        who = "Someone who knows period, age group, length of pain and four answers"
        yield [f"{who} finds one row alone for so many percent of the rows", str(measured["mean_percent"])]
        yield ["The same for the four answers that tell most, in percent", str(measured["worst_percent"])]
