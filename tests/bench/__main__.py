"""Measure performance and write one report, each value beside its peer or limit: ``make bench``.

``python -m tests.bench [PART ...]`` measures the named parts, or all, and reuses the stored values of the others. It
writes ``bench.json``, ``bench.txt`` and the chart ``bench.svg`` to ``docs/bench``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from screening.config import ROOT
from tests.bench import callbacks, chart, journeys, releases

FOLDER = ROOT / "docs" / "bench"


def measure_journeys(folder: Path, quick: bool) -> dict[str, Any]:
    """Measure the walk, and its growth with workers and journeys."""
    found = journeys.compare(2 if quick else 5, 3 if quick else 6, 2, folder)
    return found | {"growth": journeys.growth(folder, [1000] if quick else [1000, 50_000])}


def measure_callbacks(folder: Path, quick: bool) -> dict[str, Any]:
    """Measure call-back requests, and the staff pages."""
    sizes = [1000, 10_000] if quick else [1000, 10_000, 100_000]
    return callbacks.measure(2 if quick else 5, 100 if quick else 400, sizes, folder)


def measure_releases(folder: Path, quick: bool) -> dict[str, Any]:
    """Measure releases and their files."""
    return releases.measure([10_000] if quick else [10_000, 100_000, 1_000_000], 5)


PARTS: dict[str, tuple[Callable[[Path, bool], dict[str, Any]], Callable[[dict[str, Any]], str]]] = {
    "journeys": (measure_journeys, journeys.text),
    "callbacks": (measure_callbacks, callbacks.text),
    "releases": (measure_releases, releases.text),
}


def text(found: dict[str, Any]) -> str:
    """Return the whole report, each part with the noise of the machine during it."""
    parts = []
    for name, (_, read) in PARTS.items():
        if name in found:
            noisy = found[name]["noise_ms"]
            noise = "Noise: a fixed piece of work took {median:.1f} ms ({lowest:.1f} to {highest:.1f})".format(**noisy)
            parts.append(f"{read(found[name])}\n{noise}")
    return "\n\n\n".join(parts) + "\n"


def main() -> None:
    """Measure, print, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="which parts; all without")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works; nothing is left")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}: there are {', '.join(PARTS)}")
    results_file = FOLDER / "bench.json"
    found: dict[str, Any] = json.loads(results_file.read_text()) if results_file.exists() and not options.quick else {}
    for name in options.parts or PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found[name] = PARTS[name][0](Path(folder), options.quick)
        found[name]["took_seconds"] = round(time.monotonic() - began)
        if not options.quick:
            results_file.write_text(json.dumps(found, indent=1) + "\n")
    if not options.quick:
        (FOLDER / "bench.txt").write_text(text(found))
        (FOLDER / "bench.svg").write_text(chart.draw(chart.bars(json.loads(results_file.read_text()))))
    print(text(found))


if __name__ == "__main__":
    main()
