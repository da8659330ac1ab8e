"""Sign-in, its further steps, sign-out, and the page of one's own account."""

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from flask_security.utils import login_user
from werkzeug.wrappers import Response

from screening import current
from screening.durations import format_wait
from screening.extensions import db
from screening.staff import access, accounts, authentication, form_recovery, nav, passwords, sent_forms, sessions
from screening.staff.access import PASSWORD, SECOND_FACTOR, SET_UP
from screening.staff.authentication import AuthResult
from screening.staff.current_account import account_or_none, current_account
from screening.staff.forms import CodeForm, PasswordForm, SignInForm
from screening.staff.models import Account
from screening.staff.two_factor import SecondFactor
from screening.web import rate_limits

authentication_views = Blueprint("authentication", __name__)

REFUSED = lazy_gettext(
    "We could not sign you in. Check your email and password. After five wrong tries in a row "
    "there is a wait of one minute, then longer, up to an hour"
)
"""The same for every cause, so that it does not disclose which accounts exist."""

BUSY = lazy_gettext("Many people are signing in just now. Your password was not checked. Try again in %(wait)s")
MANY = lazy_gettext("Many sign-ins came from your network. Your password was not checked. Try again in %(wait)s")
"""Why a sign-in must wait. The page keeps the email."""

AUTH_ERRORS: dict[AuthResult, LazyString] = {
    AuthResult.INVALID: lazy_gettext("That is not right, or it was used before"),
    AuthResult.LOCKED_OUT: lazy_gettext(
        "There were too many wrong tries. Wait a while, an hour at most, and try again"
    ),
}

ERRORS: dict[str, LazyString] = {
    "refused": REFUSED,
    **{outcome.value: text for outcome, text in AUTH_ERRORS.items()},
    **passwords.PROBLEMS,
    "same": lazy_gettext("That is the password you have now. Choose another"),
    "differs": lazy_gettext("The two are not the same"),
}
"""Errors of these forms by the code that the session stores."""


@authentication_views.get("/")
@access.require_login
def home() -> Response:
    """Redirect to the account's page after sign-in."""
    return _redirect(url_for(nav.landing_page(current_account()) or "authentication.own"))


@authentication_views.route("/sign-in", methods=["GET", "POST"], endpoint="sign_in")
@access.public
def show() -> str | Response:
    """The sign-in with e-mail address and password."""
    if account_or_none():
        return _redirect(url_for("authentication.home"))
    form, wanted = sent_forms.fill(SignInForm, ERRORS), access.safe_next_url(request.values.get("next", ""))
    if request.method == "POST":
        if form.validate():
            wait = rate_limits.wait_for("sign-ins", current.settings()["RATE_LIMIT_SIGN_INS"])
            if wait:
                return _ask_to_wait(form, wanted, MANY, 429, wait)
            try:
                account = authentication.find_account(form.email.data, form.password.data, current.now())
            except passwords.BusyError:
                return _ask_to_wait(form, wanted, BUSY, 503, passwords.RETRY_SECONDS)
            if account is not None:
                return _accept_password(account, wanted)
            form.password.errors = [REFUSED]
        return sent_forms.send_back(form, ERRORS, next=wanted)
    return _sign_in_page(form, wanted)


def _sign_in_page(form: SignInForm, wanted: str | None) -> str:
    ended, lost = sessions.current_session().ended, "lost" in request.args
    return render_template("staff/sign_in.html", form=form, next=wanted, ended=ended, lost=lost)


def _ask_to_wait(form: SignInForm, wanted: str | None, reason: LazyString, status: int, seconds: int) -> Response:
    """Return the page with the email as typed. Not a redirect, so that a flood of them stores no forms."""
    form.password.errors = [reason % {"wait": format_wait(seconds)}]
    return make_response(_sign_in_page(form, wanted), status, {"Retry-After": str(seconds)})


@authentication_views.route("/second-factor", methods=["GET", "POST"], endpoint="second_factor")
@access.allow_during_step(SECOND_FACTOR)
def ask_second_factor() -> str | Response:
    """Ask for a code of the app: at sign-in, and again for views that require a recent one."""
    return _ask_for_code("staff/two_factor.html", authentication.check_code)


@authentication_views.route("/recovery", methods=["GET", "POST"])
@access.allow_during_step(SECOND_FACTOR)
def recovery() -> str | Response:
    """Ask for a recovery code instead of the app's code."""
    return _ask_for_code("staff/recovery.html", authentication.check_recovery_code)


def _ask_for_code(template: str, proof: authentication.CodeProof) -> str | Response:
    account = _pending_account()
    if not account.tf_totp_secret:
        return _redirect(url_for("authentication.home"))
    form, wanted = sent_forms.fill(CodeForm, ERRORS), access.safe_next_url(request.values.get("next", ""))
    if request.method == "POST":
        if form.validate():
            outcome = proof(_second_factor(), account, form.code.data, current.now())
            if outcome is AuthResult.OK:
                _sign_in(account, shown=True)
                return _after_sign_in(wanted)
            form.code.errors = [AUTH_ERRORS[outcome]]
        return sent_forms.send_back(form, ERRORS, next=wanted)
    return render_template(template, form=form, next=wanted, again=account_or_none() is not None)


@authentication_views.route("/set-up", methods=["GET", "POST"])
@access.allow_during_step(SET_UP, fresh=True)
def set_up() -> str | Response:
    """Set up the second factor: show its secret as QR code and text, then ask for a code to confirm it."""
    account, session = _pending_account(), sessions.current_session()
    if "new_secret" not in session:
        session["new_secret"] = _second_factor().new_secret(account)
    secret = session["new_secret"]
    form = sent_forms.fill(CodeForm, ERRORS)
    if request.method == "POST":
        if form.validate():
            account.totp_counter = 0
            if _second_factor().verify_code(account, form.code.data, secret):
                codes = _second_factor().enroll(account, secret)
                sessions.end_all(account)
                _actor(account).note("account.second_factor_set", account)
                _sign_in(account, shown=True)
                return _show_codes(codes)
            db.session.rollback()
            form.code.errors = [AUTH_ERRORS[AuthResult.INVALID]]
        return sent_forms.send_back(form, ERRORS)
    width, path = _second_factor().qr_modules(account, secret)
    return render_template(
        "staff/set_up.html",
        form=form,
        width=width,
        path=path,
        spelled=_second_factor().format_secret(account, secret),
        email=account.email,
    )


@authentication_views.route("/recovery-codes", methods=["GET", "POST"])
@access.recently_authenticated
def recovery_codes() -> str | Response:
    """Show how many recovery codes are left. A POST makes new ones, which are shown for ``RECENT_SECONDS``."""
    account = current_account()
    if not account.tf_totp_secret:
        return _redirect(url_for(SET_UP))
    if request.method == "POST":
        codes = _second_factor().new_recovery_codes(account)
        _actor(account).note("account.recovery_codes_made", account)
        db.session.commit()
        return _show_codes(codes)
    shown = (sent_forms.find_result() or {}).get("codes")
    return render_template(
        "staff/recovery_codes.html",
        codes=shown,
        left=len(account.mf_recovery_codes or ()),
        email=account.email,
        now=current.now(),
    )


def _show_codes(codes: list[str]) -> Response:
    """Redirect to the page that shows new recovery codes."""
    return sent_forms.send_result(url_for("authentication.recovery_codes"), access.RECENT_SECONDS, codes=codes)


@authentication_views.route("/password", methods=["GET", "POST"])
@access.allow_during_step(PASSWORD)
def password() -> str | Response:
    """Change the password: a temporary one at the first sign-in, or the current one."""
    account = _pending_account()
    temporary = account.must_change_password
    form = sent_forms.fill(PasswordForm, ERRORS)
    if request.method == "POST":
        if not form.validate() or not _is_acceptable(form, account):
            return sent_forms.send_back(form, ERRORS)
        signed_in = account_or_none() is not None
        accounts.change_password(_actor(account), account, form.password.data)
        if signed_in:
            _sign_in(account, shown=False)
            return _redirect(url_for("authentication.own", done="password"))
        return _accept_password(account, sessions.current_session().get("next"))
    return render_template("staff/password.html", form=form, temporary=temporary)


def _is_acceptable(form: PasswordForm, account: Account) -> bool:
    """Return whether the form's password may become the account's; if not, add the error to the form."""
    if not account.must_change_password:
        outcome = authentication.check_password(account, form.current.data or "", current.now())
        if outcome is not AuthResult.OK:
            form.current.errors = [AUTH_ERRORS[outcome]]
            return False
    clinic = current.clinic().name
    problem = passwords.password_problem(form.password.data, account.email, account.name, clinic)
    if problem is not None:
        form.password.errors = [problem]
    elif authentication.is_password(account, form.password.data):
        form.password.errors = [ERRORS["same"]]
    elif form.again.data != form.password.data:
        form.again.errors = [ERRORS["differs"]]
    return not form.errors


@authentication_views.get("/you")
@access.require_login
def own() -> str:
    """One's own account."""
    return render_template("staff/own.html", account=current_account(), changed=request.args.get("done") == "password")


@authentication_views.post("/sign-out")
@access.public
def sign_out() -> Response:
    """End the session, in the browser and in the database."""
    account = account_or_none()
    if account is not None:
        _actor(account).note("account.signed_out", account)
    sessions.end(sessions.current_session(), current.now())
    db.session.commit()
    return _redirect(url_for(access.SIGN_IN))


def _accept_password(account: Account, wanted: str | None) -> Response:
    """Begin the session of an account whose password was accepted; redirect to its next step, or sign it in."""
    session = sessions.current_session()
    sessions.begin(session, account, current.now())
    session["pending"] = account.fs_uniquifier
    if wanted:
        session["next"] = wanted
    db.session.commit()
    step = access.next_step(account)
    if step is not None:
        return _redirect(url_for(step))
    _sign_in(account, shown=False)
    return _after_sign_in(wanted)


def _sign_in(account: Account, shown: bool) -> None:
    """Sign an account in under a new session id. A session that is signed in already keeps its absolute limit."""
    session = sessions.current_session()
    already = account_or_none() is not None
    wanted, since, was_shown = session.get("next"), session.began if already else None, session.get("shown", 0)
    with sent_forms.carried_over():
        sessions.begin(session, account, current.now(), since)
    login_user(account, remember=False)
    for unused in ("_id", "fs_cc"):  # Flask-Login's hash of address and browser, Flask-Security's marker
        session.pop(unused, None)
    session["shown"] = current.now() if shown else was_shown
    if wanted:
        session["next"] = wanted
    if not already:
        account.last_sign_in = current.now()
        _actor(account).note("account.signed_in", account)
    db.session.commit()


def _after_sign_in(wanted: str | None) -> Response:
    """Redirect to the form that was sent after the last session ended, or to the page requested before the sign-in."""
    recovered = form_recovery.recover_form()
    if recovered is not None:
        return recovered
    return _redirect(wanted or sessions.current_session().pop("next", None) or url_for("authentication.home"))


def _pending_account() -> Account:
    account = access.pending_account()
    if account is None:
        raise RuntimeError("no password was accepted: the access check admits no such request")
    return account


def _second_factor() -> SecondFactor:
    found: SecondFactor = current_app.extensions["second_factor"]
    return found


def _redirect(address: str) -> Response:
    return redirect(address, 303)


def _actor(account: Account) -> accounts.Actor:
    return accounts.Actor(account.id, current.now())
