"""Releases by command: the same terms and refusals as on the page."""

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
from screening.releases import downloads, exporters, periods, service, verification
from screening.releases.models import Release
from screening.releases.policy import ReleasePolicy
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL

release = Group(
    "release",
    help="Releases of anonymous copies: frozen, measured, and checked by a verifier.",
    refusals=(service.RefusedError,),
)

questionnaire_option = click.option(
    "--questionnaire",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The definition of the copies' version, when it is not the site's.",
)
version_option = click.option("--version", type=int, help="Which version, when copies of several wait.")


@release.command("preview")
@questionnaire_option
@version_option
def preview(file: Path | None, version: int | None) -> None:
    """Show what a release would state if it were made now; nothing is made."""
    seen = service.preview(_policy(file), current.now(), version)
    click.echo(json.dumps(seen.stated(), indent=1, sort_keys=True, ensure_ascii=False))
    if seen.waits:
        click.echo(f"Too few copies yet, so they wait: {', '.join(seen.waits)}", err=True)


@release.command("create")
@questionnaire_option
@version_option
def create(file: Path | None, version: int | None) -> None:
    """Make a release of all copies of the months that are over, delete the copies, and print its number."""
    made_at = current.now()
    seen = service.preview(_policy(file), made_at, version)
    with click.progressbar(length=seen.plan.rows, label="Copies", file=sys.stderr) as bar:
        made = service.create(seen, made_at, audit.COMMAND, bar.update)
    click.echo(made.number)


@release.command("export")
@click.argument("number", metavar="ID")
@click.option(
    "--detail",
    type=click.Choice([SIGNS_DETAIL, FULL_DETAIL]),
    default=SIGNS_DETAIL,
    show_default=True,
    help="How much of the answers.",
)
@click.option("--format", "ending", type=click.Choice(list(exporters.MEDIA_TYPES)), default="csv", show_default=True)
@click.option("--to", type=click.Path(path_type=Path), help="File to write; without it stdout.")
def export(number: str, detail: str, ending: str, to: Path | None) -> None:
    """Write a file of a release, the same bytes each time. ID is R-0001 or 1."""
    made, name = _release(number), f"{detail}.{ending}"
    db.session.add(audit.event("release.downloaded", current.now(), audit.COMMAND, made.number, file=name))
    db.session.commit()
    with click.progressbar(length=made.rows, label="Making it", file=sys.stderr) as bar:
        size, pieces = downloads.open_file(made, name, bar.update)
    with click.progressbar(length=size, label=name, file=sys.stderr) as bar, _target(to) as target:
        for piece in pieces:
            target.write(piece)
            bar.update(len(piece))


@release.command("verify")
@click.argument("what", metavar="ID|FILE")
@click.option("--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The file's manifest.")
@click.option("--release", "number", metavar="ID", help="Which release the file is of, when today's terms are others.")
@questionnaire_option
def verify(what: str, manifest: Path | None, number: str | None, file: Path | None) -> None:
    """Check a release, or a file of one, by a verifier that shares nothing with what made it.

    A release is judged by the terms it was made on, a file by today's unless its release is named.
    Prints a line for each finding. Ends with 0 when nothing was found.
    """
    if Path(what).is_file():
        spec = _release(number).spec if number else _policy(file).spec()
        found = verification.check_files(Path(what), spec, manifest)
    else:
        found = verification.check_release(_release(what))
    for line in found:
        click.echo(line)
    click.echo(f"{len(found)} findings" if found else "Nothing found", err=True)
    sys.exit(1 if found else 0)


@release.command("list")
def list_() -> None:
    """Show the releases: number, day made, questionnaire, version, rows."""
    zone = _policy(None).zone
    for made in service.list_releases():
        day = periods.release_day(made, zone)
        click.echo(f"{made.number}\t{day}\t{made.questionnaire}\t{made.version}\t{made.rows}")


def _release(number: str) -> Release:
    """The release that people call so."""
    digits = number.upper().removeprefix("R-")
    made = db.session.get(Release, int(digits)) if digits.isdecimal() and len(digits) < 9 else None
    if made is None:
        raise service.RefusedError(lazy_gettext("There is no release %(number)s.", number=number))
    return made


@contextmanager
def _target(file: Path | None) -> Iterator[IO[bytes]]:
    """Where to write: stdout, or a file that is there wholly or not at all."""
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
        raise service.RefusedError(f"{part} is in the way: remove it") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _policy(file: Path | None) -> ReleasePolicy:
    return ReleasePolicy.of(current.settings(), loader.load(file) if file else None)
