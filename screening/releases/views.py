"""Staff pages of releases: preview and creation of the next, and past releases with their files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as AnyResponse
from wtforms import BooleanField, HiddenField
from wtforms.validators import InputRequired

from screening import audit, current
from screening.extensions import db
from screening.releases import display, downloads, exporters, held_views, periods, service, trend_views, verification
from screening.releases.models import Release
from screening.releases.policy import ReleasePolicy
from screening.releases.row_format import FULL_DETAIL
from screening.releases.service import UNSOUND, MultipleVersionsError, Preview, RefusedError, UnsoundError
from screening.responses import held_batches
from screening.staff import display_names, nav, sent_forms
from screening.staff.access import refuse, require_role
from screening.staff.current_account import current_account
from screening.staff.forms import StaffForm
from screening.staff.roles import RESPONSES, ROWS

release_views = Blueprint("releases", __name__, url_prefix="/releases")

FILE_TYPES = {
    "zip": lazy_gettext("Package (zip)"),
    "csv": lazy_gettext("CSV"),
    "xlsx": lazy_gettext("Excel"),
    "README.md": "README",
}
"""Names of the file formats by extension. The package is first: it explains itself, and the README the others."""

EVENTS = {
    "release.made": lazy_gettext("Release made"),
    "release.terms": lazy_gettext("Terms of releases changed"),
    "release.downloaded": lazy_gettext("File of a release downloaded"),
    "release.checked": lazy_gettext("Release checked"),
}

DONE = {"made": lazy_gettext("The release is made. The copies it was made of are deleted.")}

CHANGED = lazy_gettext("What would go in changed after you looked. Nothing was made. This is how it stands now.")

ALREADY_DECIDED = lazy_gettext("Someone else decided on these copies first.")


class MakeForm(StaffForm):
    """The form that makes the previewed release. ``alone`` only where more rows stand alone than the policy allows."""

    alone = BooleanField(validators=[InputRequired(lazy_gettext("Check the box if you accept this share of rows"))])
    sure = BooleanField(validators=[InputRequired(lazy_gettext("Check the box if you want to make the release"))])
    seen = HiddenField()
    version = HiddenField()


@dataclass(frozen=True)
class PreviewPage:
    """The preview of the next release, or the reason why there is none. ``choose``: a version that can be selected."""

    preview: Preview | None = None
    refusal: RefusedError | None = None
    choose: int | None = None

    @property
    def mark(self) -> str:
        """A digest that changes with the responses, the months or the policy."""
        if self.preview is None:
            return ""
        last = periods.last_closed_period(current.now(), _policy().zone)
        state = json.dumps([self.preview.stamp, last, self.preview.stated()], sort_keys=True)
        return hashlib.sha256(state.encode()).hexdigest()[:32]

    @property
    def measured(self) -> Mapping[str, Mapping[str, int]]:
        """The measured attack on the release, computed once for each state of the responses; empty without preview."""
        if self.preview is None:
            return {}
        mark, known = current_app.extensions["measured_attack"]
        if mark != self.mark:
            known = service.measure(self.preview)
            current_app.extensions["measured_attack"] = self.mark, known
        return dict(known)

    @property
    def above_limit(self) -> bool:
        """Whether more rows stand alone than the policy allows."""
        return bool(self.measured) and _policy().is_above_limit(self.measured)


@dataclass(frozen=True)
class ReleaseRow:
    """A release as shown to staff: its manifest, and when and by whom it was made."""

    release: Release
    stated: dict[str, Any]
    day: date
    by: str


def init_app(app: Flask) -> None:
    """Register the pages, menu entries and audit labels with the staff application. Raises SettingsError."""
    app.extensions["release_policy"] = ReleasePolicy.of(app.config["SETTINGS"], app.extensions["questionnaire"])
    app.extensions["measured_attack"] = ("", {})
    display.init_app(app)
    app.register_blueprint(release_views)
    app.register_blueprint(held_views.held_views)
    app.register_blueprint(trend_views.trend_views)
    nav.add(app, "releases.index", lazy_gettext("Releases"), RESPONSES, ROWS, place=20)
    nav.add(app, "trends.show", lazy_gettext("Trends"), RESPONSES, ROWS, place=30)
    display_names.ACTION_LABELS.update(EVENTS | held_views.EVENTS)


@release_views.get("")
@require_role(RESPONSES, ROWS)
def index() -> str:
    """Show the preview of the next release, and past releases."""
    sent = sent_forms.find("releases.make")
    changed = sent is not None and sent.reason == "changed"
    look = _preview()
    form = _form(look, formdata=sent.fields if sent and not changed else None)
    if sent is not None:
        sent.show_errors(form)
    decided = sent_forms.find("held.decide")
    was_decided = decided is not None and decided.reason == held_views.DECIDED
    unsound = sent is not None and sent.reason == "unsound"
    failed = CHANGED if changed else UNSOUND if unsound else ALREADY_DECIDED if was_decided else None
    return _overview(look, form, failed)


@release_views.post("")
@require_role(RESPONSES, ROWS)
def make() -> AnyResponse:
    """Make the previewed release; if the preview has changed since, show the new one instead."""
    form, look = MakeForm(), _preview()
    if look.preview is None or form.seen.data != look.mark:
        return _changed(form)
    form = _form(look)
    if not form.validate():
        return sent_forms.send_back(form, version=form.version.data)
    me = current_account().id
    db.session.commit()  # an open read transaction would prevent PostgreSQL from scrubbing
    try:
        made = service.create(look.preview, current.now(), me, confirmed=form.alone is not None)
    except UnsoundError:
        return sent_forms.send_back(form, reason="unsound", version=form.version.data)
    except RefusedError:
        return _changed(form)
    return redirect(url_for("releases.show", release_id=made.id, done="made"), 303)


@release_views.get("/<int(max=2147483647):release_id>")
@require_role(RESPONSES, ROWS)
def show(release_id: int) -> str:
    """Show one release: its manifest and files."""
    checked = sent_forms.find_result() or {}
    done = DONE.get(request.args.get("done", ""))
    return _release_page(_found(release_id), notice=done, findings=checked.get("findings"))


@release_views.post("/<int(max=2147483647):release_id>/check")
@require_role(RESPONSES, ROWS)
def check(release_id: int) -> AnyResponse:
    """Verify a release and redirect to its page, which shows the findings."""
    release = _found(release_id)
    found = verification.check_release(release)
    _note("release.checked", release, findings=str(len(found)))
    return sent_forms.send_result(url_for("releases.show", release_id=release.id), findings=found)


@release_views.get("/<int(max=2147483647):release_id>/<file>")
@require_role(RESPONSES, ROWS)
def download(release_id: int, file: str) -> Response:
    """Download a file of a release. The audit event is committed before the first byte is sent."""
    release = _found(release_id)
    if file not in (*exporters.NAMES, *exporters.READMES, downloads.MANIFEST):
        abort(404)
    if file.startswith(f"{FULL_DETAIL}.") and not _may_have_full():
        refuse()
    try:
        answer = downloads.response(release, file)
    except LookupError:
        abort(404)
    if request.method != "HEAD":
        _note("release.downloaded", release, file=file)
    return answer


def _form(look: PreviewPage, **options: Any) -> MakeForm:
    """Return the form that makes the previewed release."""
    form = MakeForm(**options)
    if not look.above_limit:
        del form.alone  # leaves None
    return form


def _preview() -> PreviewPage:
    """Return the preview of the next release, of the selected version if there is one."""
    policy = _policy()
    asked = request.values.get("version") == str(policy.questionnaire.version)
    try:
        return PreviewPage(
            preview=service.preview(policy, current.now(), policy.questionnaire.version if asked else None)
        )
    except MultipleVersionsError as refusal:
        return PreviewPage(refusal=refusal, choose=policy.questionnaire.version if refusal.may_choose else None)
    except RefusedError as refusal:
        return PreviewPage(refusal=refusal)


def _changed(form: MakeForm) -> AnyResponse:
    return sent_forms.send_back(reason="changed", version=form.version.data)


def _overview(look: PreviewPage, form: MakeForm, notice: Any = None) -> str:
    policy, preview = _policy(), look.preview
    form.seen.data = look.mark
    form.version.data = request.values.get("version", "") if preview else ""
    stated = preview.stated() if preview else None
    without = preview.stated_without() if preview else None
    return render_template(
        "releases/releases.html",
        look=look,
        other_version=isinstance(look.refusal, MultipleVersionsError),
        stated=stated,
        measured=look.measured,
        limit=policy.max_alone,
        details=display.quasi_identifiers(policy, stated) if stated else [],
        without=without,
        details_without=display.quasi_identifiers(policy, without) if without else [],
        single_month=display.single_month(preview.second_month_on) if preview and preview.second_month_on else None,
        held_back=preview.held_back if preview else (),
        sensitive=_sensitive(),
        form=form,
        notice=notice,
        done=held_views.DONE.get(request.args.get("done", "")),
        held=held_batches.list_held(),
        held_form=held_views.form_of_page(),
        made=[_made(release, _names()) for release in service.list_releases()],
        kinds=FILE_TYPES,
    )


def _release_page(release: Release, notice: Any = None, findings: list[str] | None = None) -> str:
    made = _made(release, _names())
    return render_template(
        "releases/release.html",
        made=made,
        stated=made.stated,
        details=display.quasi_identifiers(_policy(), made.stated),
        weights=display.weights(made.stated),
        sensitive=_sensitive(),
        kinds=FILE_TYPES,
        may_have_full=_may_have_full(),
        notice=notice,
        findings=findings,
    )


def _made(release: Release, names: dict[str, str]) -> ReleaseRow:
    by = names.get(release.made_by, release.made_by)
    return ReleaseRow(release, json.loads(release.manifest), periods.release_day(release, _policy().zone), by)


def _names() -> dict[str, str]:
    """Return display names by the value of ``made_by``."""
    names = display_names.account_names()
    return names | {audit.COMMAND: str(display_names.OTHER_ACTORS[audit.COMMAND])}


def _sensitive() -> tuple[Any, Any]:
    """Return the sensitive question and its strongest answer."""
    policy = _policy()
    question = policy.questionnaire.by_id[policy.questionnaire.help.question]
    return question, question.by_code[policy.rules.strongest]


def _note(action: str, release: Release, **detail: str) -> None:
    db.session.add(audit.event(action, current.now(), current_account().id, release.number, **detail))
    db.session.commit()


def _may_have_full() -> bool:
    return ROWS in current_account().role_names


def _found(release_id: int) -> Release:
    return db.get_or_404(Release, release_id)


def _policy() -> ReleasePolicy:
    policy: ReleasePolicy = current_app.extensions["release_policy"]
    return policy
