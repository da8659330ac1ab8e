"""Error pages, with crisis help. An unavailable database is a 503; a static page replaces one that cannot be rendered.

Errors are logged as type and stack, without their message, which may contain an answer.
"""

import logging
import traceback
from dataclasses import dataclass

from flask import Flask, Response, make_response, render_template, request
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as WaitedError
from werkzeug.exceptions import HTTPException

from screening.durations import format_wait
from screening.web import request_id

log = logging.getLogger(__name__)

RETRY_SECONDS = 60


@dataclass(frozen=True)
class ErrorText:
    """Title and text of an error page. The text may state the time until the next attempt: ``%(wait)s``."""

    title: LazyString
    text: LazyString


ERROR_TEXTS = {
    "csrf": ErrorText(
        lazy_gettext("Please try that again"),
        lazy_gettext("The page was open for a long time, or cookies are off in your browser. Nothing was changed."),
    ),
    400: ErrorText(lazy_gettext("We did not understand that"), lazy_gettext("Something in the request was not right.")),
    403: ErrorText(lazy_gettext("This page is not open to you"), lazy_gettext("You may need to sign in first.")),
    404: ErrorText(
        lazy_gettext("We can’t find that page"), lazy_gettext("The address may be old, or have a typing mistake in it.")
    ),
    405: ErrorText(
        lazy_gettext("This page can’t be opened that way"), lazy_gettext("It only works from a button on the site.")
    ),
    413: ErrorText(lazy_gettext("That was too much to send"), lazy_gettext("Please make it shorter and try again.")),
    429: ErrorText(
        lazy_gettext("Please wait a little"),
        lazy_gettext(
            "Many forms came from your network. What you just sent was not saved. What you sent before is still here. "
            "Wait %(wait)s, open the page again, and send it once more."
        ),
    ),
    500: ErrorText(
        lazy_gettext("Sorry, something went wrong"), lazy_gettext("It is our fault, not yours. Please try again.")
    ),
    503: ErrorText(lazy_gettext("We will be back soon"), lazy_gettext("The site is busy or being worked on.")),
}


def init_app(app: Flask, template: str, last_resort: str) -> None:
    """Answer every error of an application with ``template``, or with the page ``last_resort`` if rendering fails."""

    def answer(error: Exception) -> Response:
        code = _code(error)
        if isinstance(error, HTTPException) and code < 400:
            return make_response(error.get_response())
        if not isinstance(error, HTTPException):
            log.error("a request failed: %s", origin_of(error))
        words = (
            ERROR_TEXTS.get("csrf" if isinstance(error, CSRFError) else code) or ERROR_TEXTS[400 if code < 500 else 500]
        )
        wait = int(getattr(error, "retry_after", None) or RETRY_SECONDS)
        try:
            again = _page_of_form(app) if code == 429 else None
            shown = {"title": words.title, "text": words.text % {"wait": format_wait(wait)}, "code": code}
            page = render_template(template, **shown, again=again, request_id=request_id.made())
        except Exception as second:  # rendering may fail for the same reason
            log.error("the error page failed: %s", origin_of(second))
            page = last_resort
        response = make_response(page, code)
        if code in (429, 503):
            response.headers["Retry-After"] = str(wait)
        if code == 405 and isinstance(error, HTTPException):
            response.headers["Allow"] = dict(error.get_headers()).get("Allow", "")
        return response

    app.extensions["error_page"] = answer
    app.register_error_handler(Exception, answer)


def _page_of_form(app: Flask) -> str | None:
    """Return the address of a refused form if it can be opened as a page, too."""
    addresses = app.create_url_adapter(request)
    if request.url_rule is None or addresses is None or not addresses.test(request.path, "GET"):
        return None
    return request.full_path.rstrip("?")


def is_unavailable(error: BaseException) -> bool:
    """Return whether an error means that the database is unavailable, rather than that a statement is wrong."""
    if isinstance(error, OperationalError | InternalError | WaitedError):
        return True
    return isinstance(error, SQLAlchemyError) and bool(getattr(error, "connection_invalidated", False))


def _code(error: Exception) -> int:
    if isinstance(error, HTTPException) and error.code:
        return error.code
    return 503 if is_unavailable(error) else 500


def origin_of(error: Exception) -> str:
    """Return an error's type and its stack, innermost call first, without the message, which may contain an answer."""
    calls = traceback.extract_tb(error.__traceback__)
    return " < ".join(
        [type(error).__name__, *(f"{c.name} ({c.filename.rpartition('/')[2]}:{c.lineno})" for c in calls[::-1])]
    )
