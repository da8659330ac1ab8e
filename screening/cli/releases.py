"""``flask release``: releases, under the same policy and with the same refusals as on the staff page."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
from flask_babel import lazy_gettext

from screening import audit, current
from screening.cli.base import Group
from screening.extensions import db
from screening.questionnaires import loader
from screening.releases import display, downloads, exporters, periods, service, verification
from screening.releases.models import Release
from screening.releases.policy import ReleasePolicy
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL
from screening.releases.verify.spec import UnreadableError

release = Group(
    "release",
    help="Preview, create, export and verify releases of anonymous responses.",
    refusals=(service.RefusedError, UnreadableError),
)

questionnaire_option = click.option(
    "--questionnaire",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Definition of the responses' version, if not the site's own.",
)
version_option = click.option("--version", type=int, help="Questionnaire version, if there are responses of several.")


@release.command("preview")
@questionnaire_option
@version_option
def preview(file: Path | None, version: int | None) -> None:
    """Print the manifest that a release would have now, without creating one.

    With an expert determination, ``without_determination`` states what the release would be without it. Where the two
    differ, both losses (ncp) are on the scale of months.
    """
    seen = service.preview(_policy(file), current.now(), version)
    stated = seen.stated() | {"measured_attack": service.measure(seen)}
    without = seen.stated_without()
    if without:
        compared = ("levels", "groups", "masked_rows", "ncp")
        stated["without_determination"] = {name: without[name] for name in compared}
    click.echo(json.dumps(stated, indent=1, sort_keys=True, ensure_ascii=False))
    if seen.held_back:
        click.echo(f"Held back, too few responses yet: {', '.join(seen.held_back)}", err=True)
    if seen.second_month_on:
        click.echo(display.single_month(seen.second_month_on), err=True)


@release.command("create")
@questionnaire_option
@version_option
@click.option("--confirm", is_flag=True, help="Create it above SCREENING_MAX_ALONE_PERCENT, too.")
def create(file: Path | None, version: int | None, confirm: bool) -> None:
    """Create a release of all responses of closed months, delete the responses, and print its number."""
    made_at = current.now()
    seen = service.preview(_policy(file), made_at, version)
    with click.progressbar(length=seen.plan.rows, label="Responses", file=sys.stderr) as bar:
        made = service.create(seen, made_at, audit.COMMAND, bar.update, confirmed=confirm)
    click.echo(made.number)


@release.command("export")
@click.argument("number", metavar="ID")
@click.option(
    "--detail",
    type=click.Choice([SIGNS_DETAIL, FULL_DETAIL]),
    default=SIGNS_DETAIL,
    show_default=True,
    help="Frequencies (full) or only whether a sign was noticed.",
)
@click.option("--format", "ending", type=click.Choice(list(exporters.MEDIA_TYPES)), default="csv", show_default=True)
@click.option("--to", type=click.Path(path_type=Path), help="File to write (default: stdout).")
def export(number: str, detail: str, ending: str, to: Path | None) -> None:
    """Write a file of a release, and beside a CSV or XLSX its README; repeated exports are identical.

    ID is R-0001 or 1.
    """
    made, name = _release(number), f"{detail}.{ending}"
    db.session.add(audit.event("release.downloaded", current.now(), audit.COMMAND, made.number, file=name))
    db.session.commit()
    with click.progressbar(length=made.rows, label="Building", file=sys.stderr) as bar:
        size, pieces = downloads.open_file(made, name, bar.update)
    with click.progressbar(length=size, label=name, file=sys.stderr) as bar, _target(to) as target:
        for piece in pieces:
            target.write(piece)
            bar.update(len(piece))
    if to is not None and ending != "zip":
        with _target(to.with_name(exporters.download_name(made.number, f"{detail}.README.md"))) as target:
            target.write(exporters.readme(made, detail))


@release.command("verify")
@click.argument("what", metavar="ID|FILE")
@click.option("--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Manifest of FILE.")
@click.option("--release", "number", metavar="ID", help="Release of FILE, if the policy has changed since.")
@questionnaire_option
def verify(what: str, manifest: Path | None, number: str | None, file: Path | None) -> None:
    """Verify a release or an exported file with a verifier that shares no code with the exporters.

    A release is checked against the policy it was made under; a file against the current policy, unless
    --release is given. Prints one line per finding; exits with 1 if there are any.
    """
    path = _file(what)
    if path is not None:
        if number and manifest is None:
            found = verification.check_file_of(_release(number), path)
        else:
            spec = _release(number).spec if number else _policy(file).spec()
            found = verification.check_file(path, spec, manifest)
    else:
        found = verification.check_release(_release(what))
    for line in found:
        click.echo(line)
    click.echo(f"{len(found)} findings" if found else "Nothing found", err=True)
    sys.exit(1 if found else 0)


@release.command("attack")
@click.argument("what", metavar="ID|FILE")
def measure_attack(what: str) -> None:
    """Measure how many rows stand alone for someone who knows four answers, of a release or a CSV file.

    The attacker also knows period, age group and length of pain. Prints, for each detail, the percentage of rows that
    stand alone: the mean over all sets of four answers, and that of the worst set.
    """
    path = _file(what)
    figures = verification.attack_file(path) if path is not None else verification.attack_release(_release(what))
    for detail, found in figures.items():
        click.echo(f"{detail}\tmean {found['mean_percent']}%\tworst {found['worst_percent']}%")


@release.command("list")
def list_() -> None:
    """Print the releases: number, day created, questionnaire, version, rows."""
    zone = _policy(None).zone
    for made in service.list_releases():
        day = periods.release_day(made, zone)
        click.echo(f"{made.number}\t{day}\t{made.questionnaire}\t{made.version}\t{made.rows}")


def _file(what: str) -> Path | None:
    """Return the path if a file is named, None for a release. Raises RefusedError for a file that is missing."""
    path = Path(what)
    if not path.is_file() and path.suffix:
        raise service.RefusedError(lazy_gettext("There is no file %(file)s.", file=what))
    return path if path.is_file() else None


def _release(number: str) -> Release:
    """Return the release with this number (``R-0001`` or ``1``). Raises RefusedError."""
    digits = number.upper().removeprefix("R-")
    made = db.session.get(Release, int(digits)) if digits.isdecimal() and len(digits) < 9 else None
    if made is None:
        raise service.RefusedError(lazy_gettext("There is no release %(number)s.", number=number))
    return made


@contextmanager
def _target(file: Path | None) -> Iterator[IO[bytes]]:
    """Yield stdout, or a file that is written atomically."""
    if file is None:
        yield sys.stdout.buffer
        return
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("xb") as target:
            yield target
        part.replace(file)
    except FileNotFoundError as error:
        raise service.RefusedError(f"{file.parent}: {error.strerror}") from error
    except FileExistsError as error:
        raise service.RefusedError(f"{part} already exists: remove it") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _policy(file: Path | None) -> ReleasePolicy:
    return ReleasePolicy.of(current.settings(), loader.load(file) if file else None)
