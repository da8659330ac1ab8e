"""The pages on which admins look after accounts."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from werkzeug.wrappers import Response

from screening.extensions import db
from screening.staff import accounts
from screening.staff.accounts import AccountError, Doer
from screening.staff.forms import AccountForm, RolesForm
from screening.staff.guard import current_account, needs
from screening.staff.models import Account
from screening.staff.roles import ADMIN

views = Blueprint("accounts", __name__, url_prefix="/accounts")

DONE: dict[str, LazyString] = {
    "roles": lazy_gettext("The roles are changed. The account was signed out."),
    "disabled": lazy_gettext("The account is disabled, and was signed out."),
    "enabled": lazy_gettext("The account can sign in again."),
}


@views.get("")
@needs(ADMIN)
def everyone() -> str:
    """All accounts."""
    return render_template("staff/accounts.html", accounts=accounts.everyone(), now=_now())


@views.route("/new", methods=["GET", "POST"])
@needs(ADMIN)
def add() -> str:
    """Add an account; its temporary password is shown this once."""
    form = AccountForm()
    if form.validate_on_submit():
        try:
            account, password = accounts.add(_doer(), form.email.data, form.name.data, form.roles.data)
            db.session.commit()
            return render_template("staff/handover.html", account=account, password=password)
        except AccountError as error:
            db.session.rollback()
            form.email.errors = [error.message]
    return render_template("staff/account_new.html", form=form)


@views.get("/<account_id>")
@needs(ADMIN)
def one(account_id: str) -> str:
    """One account."""
    account = _account(account_id)
    return _shown(account, RolesForm(roles=sorted(account.role_names)))


@views.post("/<account_id>/roles")
@needs(ADMIN)
def roles(account_id: str) -> str | Response:
    """Change what an account may do."""
    account, form = _account(account_id), RolesForm()
    try:
        if form.validate():
            accounts.set_roles(_doer(), account, form.roles.data)
            db.session.commit()
            return _done(account_id, "roles")
    except AccountError as error:
        db.session.rollback()
        form.roles.errors = [error.message]
    return _shown(_account(account_id), form)


@views.post("/<account_id>/reset")
@needs(ADMIN)
def reset(account_id: str) -> str:
    """Start an account over; its temporary password is shown this once."""
    account = _account(account_id)
    if account.id == current_account().id:
        abort(403)
    password = accounts.reset(_doer(), account)
    db.session.commit()
    return render_template("staff/handover.html", account=account, password=password)


@views.post("/<account_id>/disable")
@needs(ADMIN)
def disable(account_id: str) -> Response:
    """Shut an account."""
    try:
        accounts.disable(_doer(), _account(account_id))
    except AccountError:
        abort(403)
    db.session.commit()
    return _done(account_id, "disabled")


@views.post("/<account_id>/enable")
@needs(ADMIN)
def enable(account_id: str) -> Response:
    """Open an account again."""
    accounts.enable(_doer(), _account(account_id))
    db.session.commit()
    return _done(account_id, "enabled")


def _shown(account: Account, form: RolesForm) -> str:
    return render_template(
        "staff/account.html",
        account=account,
        form=form,
        now=_now(),
        own=account.id == current_account().id,
        done=DONE.get(request.args.get("done", "")),
    )


def _done(account_id: str, what: str) -> Response:
    return redirect(url_for("accounts.one", account_id=account_id, done=what), 303)


def _account(account_id: str) -> Account:
    return db.get_or_404(Account, account_id)


def _doer() -> Doer:
    return Doer(current_account().id, _now())


def _now() -> int:
    return int(current_app.extensions["clock"]())
