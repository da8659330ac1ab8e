"""Actions on the draft: start again, extend its lifetime, or leave the site."""

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.draft import current_draft, delete_form_cookie
from screening.screener.blueprint import address, screener
from screening.walk import current_walk


@screener.post("/start-again")
def start_again() -> AnyResponse:
    """Delete the answers from this browser and start again."""
    current_draft().start_again(current.now())
    return redirect(url_for("screener.start", notice="cleared"), 303)


@screener.post("/more-time")
def more_time() -> AnyResponse:
    """Extend the draft's lifetime by 30 minutes or to 24 hours, then show the first open question or the summary."""
    walk = current_walk()
    if request.form.get("time") == "30-minutes":
        walk.draft.renew(walk.now)
        notice = "30-minutes"
    else:
        walk.draft.extend(walk.now)
        notice = "more-time"
    if not walk.answers:
        return redirect(url_for("screener.start", notice=notice), 303)
    unanswered = walk.open_question
    return redirect(address(walk, unanswered, notice=notice) if unanswered else url_for("screener.summary"), 303)


@screener.post("/leave")
def leave() -> Response:
    """Delete everything from this browser and redirect to the neutral site. Needs neither token nor script.

    Our cookies are deleted by name: ``Clear-Site-Data: "cookies"`` would delete those of the whole domain, other
    sites of the clinic included.
    """
    current_draft().clear()
    response = make_response(redirect(current.clinic().neutral_site, 303))
    for name in request.cookies:
        if name.removeprefix("__Host-") in ("draft", "lang"):
            response.delete_cookie(name, secure=name.startswith("__Host-"), httponly=True, samesite="Lax")
    delete_form_cookie(response, current.settings()["HTTPS"])
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
