"""Writes the second half of ``THIRD-PARTY-NOTICES``: the license of each package in ``requirements.txt``.

Run as ``python -m tests.support.third_party_notices`` (by ``make requirements``). The first half, above ``HEADING``, is
written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions

from screening.config import ROOT

NOTICES = ROOT / "THIRD-PARTY-NOTICES"
REQUIREMENTS = ROOT / "requirements.txt"
MODULE = "tests/support/third_party_notices.py"
HEADING = "2. Packages that run in production\n"
# SPDX identifiers. LGPL: psycopg is installed unmodified, as a package of its own that an operator can replace.
ALLOWED = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "LGPL-3.0-only", "MIT", "MIT-0", "PSF-2.0", "Unlicense"}
CLASSIFIERS = {"MIT License": "MIT", "Apache Software License": "Apache-2.0", "ISC License (ISCL)": "ISC"}
# Packages whose metadata says only "BSD": the license according to the text they ship.
BSD = {
    **dict.fromkeys(("flask-sqlalchemy", "flask-wtf", "itsdangerous", "jinja2", "libpass", "wtforms"), "BSD-3-Clause"),
    "python-dateutil": "Apache-2.0 AND BSD-3-Clause",
    "qrcode": "BSD-3-Clause AND MIT",
}
# Packages for other systems and versions of Python, which are not installed where this runs. Read from their wheels.
OTHER_SYSTEMS = {
    ("async-timeout", "5.0.1"): ("Apache-2.0", ["async_timeout-5.0.1.dist-info/LICENSE"]),
    ("colorama", "0.4.6"): ("BSD-3-Clause", ["colorama-0.4.6.dist-info/licenses/LICENSE.txt"]),
    ("deprecated", "1.3.1"): ("MIT", ["deprecated-1.3.1.dist-info/licenses/LICENSE.rst"]),
    ("deprecated", "3.0.1"): ("MIT", ["deprecated-3.0.1.dist-info/licenses/LICENSE.md"]),
}


def requirements(text: str) -> Iterator[tuple[str, str]]:
    """Name and version of each package in a requirements file."""
    yield from re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)


def listed(notices: str) -> dict[tuple[str, str], str]:
    """Name and version of each package in the notices, with its license."""
    rows = re.findall(r"^([a-z0-9._-]+) (\S+): (.+)$", notices.partition(HEADING)[2], re.MULTILINE)
    return {(name, version): license_ for name, version, license_ in rows}


def is_allowed(license_: str) -> bool:
    """Return whether one alternative of an SPDX expression consists of allowed licenses."""
    return any(ALLOWED.issuperset(option.split(" AND ")) for option in license_.split(" OR "))


def problems(requirements_text: str, notices: str) -> list[str]:
    """Return one line per package that is missing, listed in another version, or under a license not allowed."""
    wanted, rows = set(requirements(requirements_text)), listed(notices)
    return [
        *(f"{name} {version} is missing" for name, version in sorted(wanted - set(rows))),
        *(f"{name} {version} is not required" for name, version in sorted(set(rows) - wanted)),
        *(f"{row[0]}: {license_} is not allowed" for row, license_ in rows.items() if not is_allowed(license_)),
    ]


def license_of(package: Distribution) -> str:
    """Return the license in a package's metadata as an SPDX expression; else what the metadata says, or "unknown"."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    stated = metadata.get("License", "")
    if stated in ALLOWED:
        return stated
    classifiers = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier", []) if "License ::" in line]
    name = metadata["Name"].lower().replace("_", "-")
    if "BSD License" in classifiers and name in BSD:
        return BSD[name]
    return " AND ".join(CLASSIFIERS.get(classifier, classifier) for classifier in classifiers) or "unknown"


def texts_of(package: Distribution) -> list[str]:
    """The license files that a package installs, relative to ``site-packages``."""
    files = package.files or []
    return sorted(str(file) for file in files if re.match(r"([A-Z]+_)?(LICEN[SC]E|COPYING|NOTICE)", file.name))


def entry(name: str, version: str) -> str:
    """One package's lines. Raises SystemExit for a version that is neither installed nor in ``OTHER_SYSTEMS``."""
    package = next(iter(distributions(name=name)), None)
    if package is not None and package.version == version:
        license_, texts = license_of(package), texts_of(package)
    elif (name, version) in OTHER_SYSTEMS:
        license_, texts = OTHER_SYSTEMS[name, version]
    else:
        raise SystemExit(f"{name} {version} is not installed: read its license and add it to OTHER_SYSTEMS in {MODULE}")
    lines = [f"{name} {version}: {license_}", *(f"    {text}" for text in texts or ["no license file in the package"])]
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Replace the list of packages; exit with one line per package that is refused."""
    above, heading, below = NOTICES.read_text(encoding="utf-8").partition(HEADING)
    intro = below.partition("\n\n")[0]
    required = REQUIREMENTS.read_text(encoding="utf-8")
    notices = f"{above}{heading}{intro}\n\n{''.join(entry(*package) for package in requirements(required))}"
    NOTICES.write_text(notices, encoding="utf-8")
    if refused := problems(required, notices):
        raise SystemExit("\n".join(refused))


if __name__ == "__main__":
    main()
