"""Getting in and out: password, second factor, the steps of a first sign-in, and one's own account."""

from __future__ import annotations

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from flask_security.utils import login_user
from werkzeug.wrappers import Response

from screening.extensions import db
from screening.staff import accounts, guard, nav, passwords, proofs, second_factor, sessions
from screening.staff.forms import CodeForm, PasswordForm, SignInForm
from screening.staff.guard import PASSWORD, SECOND_FACTOR, SET_UP, current_account
from screening.staff.models import Account
from screening.staff.proofs import Outcome

sign_in = Blueprint("sign_in", __name__)

REFUSED = lazy_gettext(
    "We could not sign you in. Check your e-mail and password. After five wrong tries in a row "
    "there is a wait of one minute, then longer, up to an hour"
)
"""The same for whatever was wrong: it must not tell who has an account."""

WRONG: dict[Outcome, LazyString] = {
    Outcome.WRONG: lazy_gettext("That is not right, or it was used before"),
    Outcome.WAIT: lazy_gettext("There were too many wrong tries. Wait a while, an hour at most, and try again"),
}


@sign_in.get("/")
@guard.signed_in
def home() -> Response:
    """The first page an account may open."""
    entries = nav.entries_for(current_account())
    return _see(url_for(entries[0].endpoint if entries else "sign_in.own"))


@sign_in.route("/sign-in", methods=["GET", "POST"], endpoint="sign_in")
@guard.open_to_strangers
def show() -> str | Response:
    """E-mail and password."""
    if guard.account_or_none():
        return _see(url_for("sign_in.home"))
    form = SignInForm()
    if form.validate_on_submit():
        account = proofs.by_email(form.email.data, form.password.data, _now())
        if account is not None:
            return _let_on(account, guard.own_path(request.form.get("next", "")))
        form.password.errors = [REFUSED]
    wanted = guard.own_path(request.values.get("next", ""))
    return render_template(
        "staff/sign_in.html", form=form, next=wanted, ended=sessions.current().ended, lost="lost" in request.args
    )


@sign_in.route("/second-factor", methods=["GET", "POST"], endpoint="second_factor")
@guard.on_the_way(SECOND_FACTOR)
def ask_second_factor() -> str | Response:
    """The code of the app: at sign-in, and again before something that needs a fresh one."""
    return _ask_for_code("staff/second_factor.html", proofs.by_code)


@sign_in.route("/recovery", methods=["GET", "POST"])
@guard.on_the_way(SECOND_FACTOR)
def recovery() -> str | Response:
    """A recovery code in place of the app's."""
    return _ask_for_code("staff/recovery.html", proofs.by_recovery_code)


def _ask_for_code(template: str, proof: proofs.CodeProof) -> str | Response:
    account = _someone()
    if not account.tf_totp_secret:
        return _see(url_for("sign_in.home"))
    form = CodeForm()
    if form.validate_on_submit():
        outcome = proof(account, form.code.data, _now())
        if outcome is Outcome.RIGHT:
            _let_in(account, shown=True)
            return _onward(guard.own_path(request.form.get("next", "")))
        form.code.errors = [WRONG[outcome]]
    wanted = guard.own_path(request.values.get("next", ""))
    return render_template(template, form=form, next=wanted, again=guard.account_or_none() is not None)


@sign_in.route("/set-up", methods=["GET", "POST"])
@guard.on_the_way(SET_UP, fresh=True)
def set_up() -> str | Response:
    """Tie an app to the account: its secret as picture and text, then a code to see that it works."""
    account, session = _someone(), sessions.current()
    if "new_secret" not in session:
        session["new_secret"] = second_factor.new_secret(account)
    secret = session["new_secret"]
    form = CodeForm()
    if form.validate_on_submit():
        account.totp_counter = 0
        if second_factor.accepts(account, form.code.data, secret):
            codes = second_factor.use(account, secret)
            sessions.end_all(account)
            _doer(account).note("account.second_factor_set", account)
            _let_in(account, shown=True)
            return render_template("staff/recovery_codes.html", codes=codes, left=len(codes))
        db.session.rollback()
        form.code.errors = [WRONG[Outcome.WRONG]]
    width, path = second_factor.squares(account, secret)
    return render_template(
        "staff/set_up.html",
        form=form,
        width=width,
        path=path,
        spelled=second_factor.spelled(account, secret),
        email=account.email,
    )


@sign_in.route("/recovery-codes", methods=["GET", "POST"])
@guard.freshly_signed_in
def recovery_codes() -> str | Response:
    """How many recovery codes are left; new ones on request, shown this once."""
    account = current_account()
    if not account.tf_totp_secret:
        return _see(url_for(SET_UP))
    codes: list[str] = []
    if request.method == "POST":
        codes = second_factor.new_recovery_codes(account)
        _doer(account).note("account.recovery_codes_made", account)
        db.session.commit()
    return render_template("staff/recovery_codes.html", codes=codes, left=len(account.mf_recovery_codes or ()))


@sign_in.route("/password", methods=["GET", "POST"])
@guard.on_the_way(PASSWORD)
def password() -> str | Response:
    """A new password: instead of a temporary one, or of the present one."""
    account = _someone()
    temporary = account.must_change_password
    form = PasswordForm()
    if form.validate_on_submit() and _takes(form, account):
        was_in = guard.account_or_none() is not None
        accounts.change_password(_doer(account), account, form.password.data)
        if was_in:
            _let_in(account, shown=False)
            return _see(url_for("sign_in.own", done="password"))
        return _let_on(account, sessions.current().get("next"))
    return render_template("staff/password.html", form=form, temporary=temporary)


def _takes(form: PasswordForm, account: Account) -> bool:
    """Whether the form's password becomes the account's; if not, the form says why."""
    if not account.must_change_password:
        outcome = proofs.by_password(account, form.current.data or "", _now())
        if outcome is not Outcome.RIGHT:
            form.current.errors = [WRONG[outcome]]
            return False
    clinic = current_app.extensions["clinic"].name
    problem = passwords.problem(form.password.data, account.email, account.name, clinic)
    if problem is not None:
        form.password.errors = [problem]
    elif account.verify_and_update_password(form.password.data):
        form.password.errors = [lazy_gettext("That is the password you have now. Choose another")]
    elif form.again.data != form.password.data:
        form.again.errors = [lazy_gettext("The two are not the same")]
    return not form.errors


@sign_in.get("/you")
@guard.signed_in
def own() -> str:
    """One's own account."""
    return render_template("staff/own.html", account=current_account(), changed=request.args.get("done") == "password")


@sign_in.post("/sign-out")
@guard.open_to_strangers
def sign_out() -> Response:
    """End the session, in the browser and in the database."""
    account = guard.account_or_none()
    if account is not None:
        _doer(account).note("account.signed_out", account)
    sessions.end()
    db.session.commit()
    return _see(url_for(guard.SIGN_IN))


def _let_on(account: Account, wanted: str | None) -> Response:
    """Go on with somebody whose password was accepted: to the next step, or in."""
    sessions.begin(account)
    session = sessions.current()
    session["pending"] = account.fs_uniquifier
    if wanted:
        session["next"] = wanted
    db.session.commit()
    step = guard.step_before(account)
    if step is not None:
        return _see(url_for(step))
    _let_in(account, shown=False)
    return _onward(wanted)


def _let_in(account: Account, shown: bool) -> None:
    """Sign an account in under a new session id; what was signed in already keeps its limits."""
    session = sessions.current()
    already = guard.account_or_none() is not None
    wanted, since, was_shown = session.get("next"), session.began if already else None, session.get("shown", 0)
    sessions.begin(account, since)
    login_user(account, remember=False)
    for unused in ("_id", "fs_cc"):  # Flask-Login's hash of address and browser, Flask-Security's cookie mark
        session.pop(unused, None)
    session["shown"] = _now() if shown else was_shown
    if wanted:
        session["next"] = wanted
    if not already:
        account.last_sign_in = _now()
        _doer(account).note("account.signed_in", account)
    db.session.commit()


def _onward(wanted: str | None) -> Response:
    """To what was asked for before the sign-in came between."""
    return _see(wanted or sessions.current().pop("next", None) or url_for("sign_in.home"))


def _someone() -> Account:
    account = guard.someone()
    if account is None:
        raise RuntimeError("the guard lets nobody here who has not given a password")
    return account


def _see(address: str) -> Response:
    return redirect(address, 303)


def _doer(account: Account) -> accounts.Doer:
    return accounts.Doer(account.id, _now())


def _now() -> int:
    return int(current_app.extensions["clock"]())
