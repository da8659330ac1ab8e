"""What a visitor does with the draft: begin anew, keep it longer, or leave."""

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.draft import current_draft, delete_form_cookie
from screening.screener.blueprint import address, screener
from screening.walk import current_walk


@screener.post("/start-again")
def start_again() -> AnyResponse:
    """Forget the answers in this browser and begin anew."""
    current_draft().start_again(current.now())
    return redirect(url_for("screener.start", notice="cleared"), 303)


@screener.post("/more-time")
def more_time() -> AnyResponse:
    """Keep the draft for a day instead of half an hour."""
    walk = current_walk()
    walk.draft.extend(walk.now)
    if not walk.answers:
        return redirect(url_for("screener.start", notice="more-time"), 303)
    still_open = walk.open_question
    return redirect(address(walk, still_open, notice="more-time") if still_open else url_for("screener.summary"), 303)


@screener.post("/leave")
def leave() -> Response:
    """Forget everything in this browser and be somewhere else: one press, no token, no script.

    "cookies" is not cleared by header: that would take the whole domain's, other sites of the
    clinic included. Our own are deleted by name.
    """
    current_draft().clear()
    response = make_response(redirect(current.clinic().neutral_site, 303))
    for name in request.cookies:
        if name.removeprefix("__Host-") in ("draft", "lang"):
            response.delete_cookie(name, secure=name.startswith("__Host-"), httponly=True, samesite="Lax")
    delete_form_cookie(response, current.settings()["HTTPS"])
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
