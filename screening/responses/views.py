"""The team's pages on releases: what the next would be, making it, and what was made, with its files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as AnyResponse
from wtforms import BooleanField, HiddenField
from wtforms.validators import InputRequired

from screening import audit
from screening.extensions import db
from screening.responses import checking, downloads, files, releases, trend_views, wording
from screening.responses.models import Release
from screening.responses.releases import OtherVersionsError, Preview, RefusedError
from screening.responses.rows import FULL
from screening.responses.terms import Terms
from screening.staff import accounts, audit_page, nav
from screening.staff.forms import StaffForm
from screening.staff.guard import current_account, needs, refuse
from screening.staff.roles import RESPONSES, ROWS
from screening.web import site

pages = Blueprint("releases", __name__, url_prefix="/releases")

CONFLICT, UNPROCESSABLE = 409, 422

KINDS = {"csv": lazy_gettext("CSV"), "xlsx": lazy_gettext("Excel"), "zip": lazy_gettext("Package (zip)")}
"""The forms in which the rows can be had, by the ending of the file."""

MANIFEST = "manifest.json"

EVENTS = {
    "release.made": lazy_gettext("Release made"),
    "release.terms": lazy_gettext("Terms of releases changed"),
    "release.downloaded": lazy_gettext("File of a release downloaded"),
    "release.checked": lazy_gettext("Release checked"),
}

DONE = {"made": lazy_gettext("The release is made. The copies it was made of are deleted.")}

CHANGED = lazy_gettext("What would go in changed after you looked. Nothing was made. This is how it stands now.")


class MakeForm(StaffForm):
    """Making the release that was seen."""

    sure = BooleanField(validators=[InputRequired(lazy_gettext("Tick the box if you want to make the release"))])
    seen = HiddenField()
    version = HiddenField()


@dataclass(frozen=True)
class Look:
    """What the next release would be, or why there can be none. ``choose``: the version that can be asked for."""

    preview: Preview | None = None
    refusal: RefusedError | None = None
    choose: int | None = None

    @property
    def mark(self) -> str:
        """Tells this look from another at different copies, months or terms."""
        if self.preview is None:
            return ""
        last = releases.last_sealed(site.now(), _terms().zone)
        told = json.dumps([self.preview.stamp, last, self.preview.stated()], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Made:
    """A release as the pages show it: what it states, and for staff only when and by whom it was made."""

    release: Release
    stated: dict[str, Any]
    day: date
    by: str


def init_app(app: Flask) -> None:
    """Add the pages to the staff application, its list of pages, and its words for events. Raises SettingsError."""
    app.extensions["terms"] = Terms.of(app.config["SETTINGS"], app.extensions["questionnaire"])
    wording.init_app(app)
    app.register_blueprint(pages)
    app.register_blueprint(trend_views.trends)
    nav.add(app, "releases.everyone", lazy_gettext("Releases"), RESPONSES, ROWS, place=20)
    nav.add(app, "trends.show", lazy_gettext("Trends"), RESPONSES, ROWS, place=30)
    audit_page.WORDS.update(EVENTS)


@pages.get("")
@needs(RESPONSES, ROWS)
def everyone() -> str:
    """The next release, and those made so far."""
    return _overview(_look(), MakeForm(formdata=None))


@pages.post("")
@needs(RESPONSES, ROWS)
def make() -> AnyResponse:
    """Make the release that was seen; if it would be another now, show that instead."""
    form, look = MakeForm(), _look()
    if look.preview is None or form.seen.data != look.mark:
        return _changed(look)
    if not form.validate():
        return make_response(_overview(look, form), UNPROCESSABLE)
    me = current_account().id
    db.session.commit()  # what is still being read here would keep PostgreSQL from wiping the old pages
    try:
        made = releases.create(look.preview, site.now(), me)
    except RefusedError:
        return _changed(_look())
    return redirect(url_for("releases.show", release_id=made.id, done="made"), 303)


@pages.get("/<int(max=2147483647):release_id>")
@needs(RESPONSES, ROWS)
def show(release_id: int) -> str:
    """One release: all that its manifest states, and its files."""
    return _release_page(_found(release_id), notice=DONE.get(request.args.get("done", "")))


@pages.post("/<int(max=2147483647):release_id>/check")
@needs(RESPONSES, ROWS)
def check(release_id: int) -> str:
    """Read a release again, and say whether it is what its manifest states."""
    release = _found(release_id)
    found = checking.findings(release)
    _note("release.checked", release, findings=str(len(found)))
    return _release_page(release, findings=found)


@pages.get("/<int(max=2147483647):release_id>/<file>")
@needs(RESPONSES, ROWS)
def download(release_id: int, file: str) -> Response:
    """A file of a release. That it was asked for is an event, kept before the first byte goes out."""
    release = _found(release_id)
    if file not in (*files.NAMES, MANIFEST):
        abort(404)
    if file.startswith(f"{FULL}.") and not _may_have_full():
        refuse()
    try:
        answer = _manifest(release) if file == MANIFEST else downloads.response(release, file)
    except LookupError:
        abort(404)
    if request.method != "HEAD":
        _note("release.downloaded", release, file=file)
    return answer


def _look() -> Look:
    """The next release as things stand, of the version that was asked for if one was."""
    terms = _terms()
    asked = request.values.get("version") == str(terms.questionnaire.version)
    try:
        return Look(preview=releases.preview(terms, site.now(), terms.questionnaire.version if asked else None))
    except OtherVersionsError as refusal:
        return Look(refusal=refusal, choose=terms.questionnaire.version if refusal.may_choose else None)
    except RefusedError as refusal:
        return Look(refusal=refusal)


def _changed(look: Look) -> AnyResponse:
    return make_response(_overview(look, MakeForm(formdata=None), notice=CHANGED), CONFLICT)


def _overview(look: Look, form: MakeForm, notice: Any = None) -> str:
    terms, preview = _terms(), look.preview
    form.seen.data = look.mark
    form.version.data = request.values.get("version", "") if preview else ""
    stated = preview.stated() if preview else None
    return render_template(
        "responses/releases.html",
        look=look,
        other_version=isinstance(look.refusal, OtherVersionsError),
        stated=stated,
        details=wording.details(terms, stated) if stated else [],
        waits=preview.waits if preview else (),
        sensitive=_sensitive(),
        form=form,
        notice=notice,
        made=[_made(release, _names()) for release in releases.everyone()],
        kinds=KINDS,
    )


def _release_page(release: Release, notice: Any = None, findings: list[str] | None = None) -> str:
    made = _made(release, _names())
    return render_template(
        "responses/release.html",
        made=made,
        stated=made.stated,
        details=wording.details(_terms(), made.stated),
        weights=wording.weights(made.stated),
        sensitive=_sensitive(),
        kinds=KINDS,
        may_have_full=_may_have_full(),
        notice=notice,
        findings=findings,
    )


def _made(release: Release, names: dict[str, str]) -> Made:
    by = names.get(release.made_by, release.made_by)
    return Made(release, json.loads(release.manifest), releases.day_made(release, _terms().zone), by)


def _names() -> dict[str, str]:
    """Who can have made a release, by what is stored of them."""
    names = {account.id: account.name for account in accounts.everyone()}
    return names | {audit.COMMAND: str(audit_page.NOBODYS[audit.COMMAND])}


def _sensitive() -> tuple[Any, Any]:
    """The question that the rule looks at, and its strongest answer."""
    terms = _terms()
    question = terms.questionnaire.by_id[terms.questionnaire.help.question]
    return question, question.by_code[terms.rules.strongest]


def _manifest(release: Release) -> Response:
    answer = Response(release.manifest.encode(), mimetype="application/json")
    answer.headers.set("Content-Disposition", "attachment", filename=files.download_name(release.number, MANIFEST))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _note(action: str, release: Release, **detail: str) -> None:
    db.session.add(audit.event(action, site.now(), current_account().id, release.number, **detail))
    db.session.commit()


def _may_have_full() -> bool:
    return ROWS in current_account().role_names


def _found(release_id: int) -> Release:
    return db.get_or_404(Release, release_id)


def _terms() -> Terms:
    terms: Terms = current_app.extensions["terms"]
    return terms
