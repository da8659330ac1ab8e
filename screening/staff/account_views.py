"""The pages on which administrators manage accounts."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from werkzeug.wrappers import Response
from wtforms import Form

from screening import current
from screening.extensions import db
from screening.staff import accounts, sent_forms
from screening.staff.access import RECENT_SECONDS, require_role
from screening.staff.accounts import PROBLEMS, AccountError, Actor
from screening.staff.current_account import current_account
from screening.staff.forms import AccountForm, DetailsForm, RolesForm
from screening.staff.models import Account
from screening.staff.roles import ADMIN

account_views = Blueprint("accounts", __name__, url_prefix="/accounts")

DONE: dict[str, LazyString] = {
    "roles": lazy_gettext("The roles are changed. The account was signed out."),
    "corrected": lazy_gettext("Name and email are changed."),
    "unlocked": lazy_gettext("The account can try to sign in again at once."),
    "disabled": lazy_gettext("The account is disabled, and was signed out."),
    "enabled": lazy_gettext("The account can sign in again."),
}


@account_views.get("")
@require_role(ADMIN)
def index() -> str:
    """All accounts."""
    return render_template("staff/accounts.html", accounts=accounts.list_accounts(), now=current.now())


@account_views.route("/new", methods=["GET", "POST"])
@require_role(ADMIN)
def add() -> str | Response:
    """Add an account, and redirect to its page, which shows the temporary password for ``RECENT_SECONDS``."""
    form = sent_forms.fill(AccountForm, PROBLEMS)
    if request.method != "POST":
        return render_template("staff/account_new.html", form=form)
    try:
        if form.validate():
            account, password = accounts.add(_actor(), form.email.data, form.name.data, form.roles.data)
            db.session.commit()
            return _hand_over(account, password)
    except AccountError as error:
        db.session.rollback()
        form.email.errors = [error.message]
    return sent_forms.send_back(form, PROBLEMS)


@account_views.get("/<account_id>")
@require_role(ADMIN)
def show(account_id: str) -> str:
    """One account; or its new temporary password, while it may be shown."""
    account, result = _account(account_id), sent_forms.find_result()
    if result is not None:
        return render_template("staff/handover.html", account=account, password=result["password"])
    form = _sent_or_stored("accounts.roles", RolesForm, roles=sorted(account.role_names))
    details = _sent_or_stored("accounts.correct", DetailsForm, name=account.name, email=account.email)
    return render_template(
        "staff/account.html",
        account=account,
        form=form,
        details=details,
        now=current.now(),
        own=account.id == current_account().id,
        done=DONE.get(request.args.get("done", "")),
    )


@account_views.post("/<account_id>/roles")
@require_role(ADMIN)
def roles(account_id: str) -> Response:
    """Change the roles of an account."""
    account, form = _account(account_id), RolesForm()
    try:
        accounts.set_roles(_actor(), account, form.roles.data)
        db.session.commit()
    except AccountError as error:
        db.session.rollback()
        form.roles.errors = [error.message]
        return sent_forms.send_back(form, PROBLEMS)
    return _done(account_id, "roles")


@account_views.post("/<account_id>/details")
@require_role(ADMIN)
def correct(account_id: str) -> Response:
    """Change name and email of an account."""
    account, form = _account(account_id), DetailsForm()
    try:
        if form.validate():
            accounts.correct(_actor(), account, form.email.data, form.name.data)
            db.session.commit()
            return _done(account_id, "corrected")
    except AccountError as error:
        db.session.rollback()
        form.email.errors = [error.message]
    return sent_forms.send_back(form, PROBLEMS)


@account_views.post("/<account_id>/unlock")
@require_role(ADMIN)
def unlock(account_id: str) -> Response:
    """End the lockout of an account."""
    accounts.unlock(_actor(), _account(account_id))
    db.session.commit()
    return _done(account_id, "unlocked")


@account_views.post("/<account_id>/reset")
@require_role(ADMIN)
def reset(account_id: str) -> Response:
    """Reset an account, and redirect to its page, which shows the temporary password for ``RECENT_SECONDS``."""
    account = _account(account_id)
    if account.id == current_account().id:
        abort(403)
    password = accounts.reset(_actor(), account)
    db.session.commit()
    return _hand_over(account, password)


@account_views.post("/<account_id>/disable")
@require_role(ADMIN)
def disable(account_id: str) -> Response:
    """Disable an account."""
    try:
        accounts.disable(_actor(), _account(account_id))
    except AccountError:
        abort(403)
    db.session.commit()
    return _done(account_id, "disabled")


@account_views.post("/<account_id>/enable")
@require_role(ADMIN)
def enable(account_id: str) -> Response:
    """Enable an account."""
    accounts.enable(_actor(), _account(account_id))
    db.session.commit()
    return _done(account_id, "enabled")


def _sent_or_stored(endpoint: str, make: Callable[..., Form], **stored: Any) -> Form:
    """Return a form as it was refused, with its errors, or with the stored values."""
    sent = sent_forms.find(endpoint)
    typed = sent.fields if sent and sent.reason != sent_forms.CONFLICT else None
    form = make(formdata=typed, **stored)
    if sent is not None:
        sent.show_errors(form, PROBLEMS)
    return form


def _hand_over(account: Account, password: str) -> Response:
    page = url_for("accounts.show", account_id=account.id)
    return sent_forms.send_result(page, RECENT_SECONDS, password=password)


def _done(account_id: str, what: str) -> Response:
    return redirect(url_for("accounts.show", account_id=account_id, done=what), 303)


def _account(account_id: str) -> Account:
    return db.get_or_404(Account, account_id)


def _actor() -> Actor:
    return Actor(current_account().id, current.now())
