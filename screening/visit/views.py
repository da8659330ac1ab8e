"""The pages of the walk."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from screening import responses
from screening.questionnaire import path
from screening.questionnaire.model import DECLINED, Answers, Question
from screening.questionnaire.summary import Help, help_level, summarise
from screening.visit.forms import QuestionForm, Unsent
from screening.web import drafts, kept, locale, site
from screening.web.packed import packed

visit = Blueprint("visit", __name__)

NOTICES = {
    "order": lazy_gettext("This question comes first. Then you can go on."),
    "not-asked": lazy_gettext("That page does not go with your answers, so we brought you here."),
    "lost": lazy_gettext(
        "We don’t have your earlier answers any more. They are cleared after a while to keep them private."
    ),
    "more-time": lazy_gettext("You now have 24 hours. Your answers stay in this browser until then."),
    "cleared": lazy_gettext("Your answers are cleared from this browser."),
}
"""What a page may say on top. Only the name travels in an address."""

STALE = lazy_gettext(
    "This page was open for a long time, or cookies are off. Your choice is still here: press the button again"
)

UNPROCESSABLE = 422


@visit.get("/")
def start() -> Response:
    """What the check is and what happens with the answers."""
    signs = site.questionnaire().signs
    began = bool(drafts.answers())
    return packed(kept.page("visit/start.html", first=signs[0], signs=signs, began=began, notice=_notice()))


@visit.route("/check/<question_id>", methods=["GET", "POST"])
def question(question_id: str) -> AnyResponse | str:
    """One question. A deep link to one that is not due leads to the one that is."""
    asked = _question(question_id)
    answers = drafts.answers()
    if request.method == "GET":
        if not path.is_reachable(site.questionnaire(), asked, answers):
            return _to_open(asked)
        return _question_page(Unsent(asked, answers.get(asked.id)), answers)
    if not path.is_shown(site.questionnaire(), asked, answers):
        return _to_open(asked)
    form = _sent(asked)
    if not form.validate():
        return make_response(_question_page(form, answers), UNPROCESSABLE)
    _take(form)
    if asked.id == site.questionnaire().roles.age:
        return _finish(back_to_review=_from_review())
    return redirect(_next(asked), 303)


@visit.route("/check/review", methods=["GET", "POST"])
def review() -> AnyResponse | str:
    """Every answer with its Change, and the one choice about the anonymous copy."""
    consent = _consent()
    answers = drafts.answers()
    if not path.is_reachable(site.questionnaire(), consent, answers):
        return _to_open(consent)
    if request.method == "GET":
        return _review_page(Unsent(consent, answers.get(consent.id)), answers)
    form = _sent(consent)
    if not form.validate():
        return make_response(_review_page(form, answers), UNPROCESSABLE)
    _take(form)
    still_open = path.first_open(site.questionnaire(), drafts.answers())
    return redirect(_address(still_open), 303) if still_open else _finish()


@visit.get("/summary")
def summary() -> AnyResponse:
    """What the answers add up to, for the visitor and for a physician."""
    answers = drafts.answers()
    still_open = path.first_open(site.questionnaire(), answers)
    if still_open:
        return redirect(_address(still_open, notice=_reason("order")), 303)
    page = render_template(
        "visit/summary.html",
        summary=summarise(site.questionnaire(), answers),
        copy=drafts.current().get("copy_outcome"),
        shared=drafts.current().shared,
        today=site.today(),
    )
    return packed(page)


@visit.post("/start-again")
def start_again() -> AnyResponse:
    """Forget the answers in this browser and begin anew."""
    drafts.start_again()
    return redirect(url_for("visit.start", notice="cleared"), 303)


@visit.post("/more-time")
def more_time() -> AnyResponse:
    """Keep the draft for a day instead of half an hour."""
    drafts.ask_for_more_time()
    answers = drafts.answers()
    if not answers:
        return redirect(url_for("visit.start", notice="more-time"), 303)
    still_open = path.first_open(site.questionnaire(), answers)
    return redirect(_address(still_open, notice="more-time") if still_open else url_for("visit.summary"), 303)


@visit.post("/leave")
def leave() -> Response:
    """Forget everything in this browser and be somewhere else: one press, no token, no script.

    "cookies" is not cleared by header: that would take the whole domain's, other sites of the
    clinic included. Our own are deleted by name.
    """
    drafts.current().clear()
    response = make_response(redirect(site.clinic().neutral_site, 303))
    for name in request.cookies:
        if name.removeprefix("__Host-") in ("visit", "lang"):
            response.delete_cookie(name, secure=name.startswith("__Host-"), httponly=True, samesite="Lax")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@visit.app_errorhandler(CSRFError)
def stale_form(error: CSRFError) -> AnyResponse:
    """A form whose token is gone comes back with its choice kept, so one more press sends it."""
    drafts.renew_form_token()
    answers = drafts.answers()
    asked = site.questionnaire().by_id.get((request.view_args or {}).get("question_id", ""))
    if request.endpoint == "visit.review":
        asked = _consent()
        if path.is_reachable(site.questionnaire(), asked, answers):
            return make_response(_review_page(_stale(asked), answers), 400)
    elif asked and path.is_shown(site.questionnaire(), asked, answers):
        return make_response(_question_page(_stale(asked), answers), 400)
    if asked and drafts.current().lost:
        return _to_open(asked)
    answer_error: Callable[[Exception], AnyResponse] = current_app.extensions["error_page"]
    return answer_error(error)


def _stale(asked: Question) -> QuestionForm:
    form = _sent(asked)
    form.field.errors = (str(STALE),)
    return form


def _question_page(form: QuestionForm | Unsent, answers: Answers) -> str:
    questionnaire, asked = site.questionnaire(), form.question
    step = path.step(questionnaire, asked, answers)
    earlier = path.before(questionnaire, asked, answers)
    help_here = earlier is not None and earlier.id == questionnaire.help.question
    return kept.page(
        "visit/question.html",
        question=asked,
        answer=form.answer,
        error=form.error,
        step_text=locale.local(questionnaire.section_by_id[step.section].step).format(n=step.number, total=step.total),
        marks=tuple(_mark(sign, asked, answers) for sign in questionnaire.signs),
        back=_address(_consent()) if _from_review() else _address(earlier) if earlier else url_for("visit.start"),
        support=help_here and help_level(questionnaire, answers) is Help.SUPPORT,
        notice=_notice(),
    )


def _mark(sign: Question, asked: Question, answers: Answers) -> str:
    """How a sign's bar is drawn: the one asked now, declined, answered, or still to come."""
    if sign.id == asked.id:
        return "now"
    if sign.id not in answers:
        return ""
    return "declined" if answers[sign.id] == DECLINED else "done"


def _review_page(form: QuestionForm | Unsent, answers: Answers) -> str:
    questionnaire = site.questionnaire()
    asked = [q for q in path.shown(questionnaire, answers) if q.id in answers and q != form.question]
    last = path.before(questionnaire, form.question, answers)
    return render_template(
        "visit/review.html",
        form=form,
        question=form.question,
        signs=[q for q in asked if q in questionnaire.signs],
        others=[q for q in asked if q not in questionnaire.signs],
        answers=answers,
        back=_address(last) if last else url_for("visit.start"),
        support=help_level(questionnaire, answers) is Help.SUPPORT,
        notice=_notice(),
    )


def _take(form: QuestionForm) -> None:
    """Put a checked answer in the draft."""
    draft, before = drafts.current(), drafts.answers()
    draft.answers = path.answered(site.questionnaire(), before, form.question, form.checked)
    if draft.get("copy_outcome") == responses.Outcome.KEPT.value and draft.answers != before:
        draft["copy_outcome"] = "stale"


def _finish(back_to_review: bool = False) -> AnyResponse:
    """Everything is answered: bring the anonymous copy in line with the choice, then show the summary."""
    answers = drafts.answers()
    still_open = path.first_open(site.questionnaire(), answers)
    if still_open:
        return redirect(_address(still_open, notice="order"), 303)
    drafts.current()["copy_outcome"] = _settle_copy(answers).value
    return redirect(url_for("visit.review" if back_to_review else "visit.summary"), 303)


def _settle_copy(answers: Answers) -> responses.Outcome:
    """Store, change or take back the anonymous copy, as the answers now say."""
    draft = drafts.current()
    agreed = answers[_consent().id] == _agreeing_code()
    if agreed and not draft.shared and not summarise(site.questionnaire(), answers).minor:
        period = f"{site.today():%Y-%m}"
        outcome = responses.record(draft.copy_id, site.questionnaire(), answers, period, kept_before=draft.copy_kept)
    elif "copy_outcome" in draft:
        outcome = responses.withdraw(draft.copy_id, kept_before=draft.copy_kept)
    else:
        outcome = responses.Outcome.NONE
    kept = outcome is responses.Outcome.KEPT
    draft.copy_kept = kept or (draft.copy_kept and outcome is not responses.Outcome.NONE)
    return outcome


def _next(asked: Question) -> str:
    """Where an answer leads: on, or for a change back to the review by way of what it opened."""
    questionnaire, answers = site.questionnaire(), drafts.answers()
    if _from_review():
        still_open = path.first_open(questionnaire, answers)
        return _address(still_open or _consent(), changing=True)
    following = path.after(questionnaire, asked, answers)
    return _address(following) if following else url_for("visit.summary")


def _to_open(asked: Question) -> AnyResponse:
    """To the first question still open, or the review when none is, with a word of why."""
    questionnaire, answers = site.questionnaire(), drafts.answers()
    still_open = path.first_open(questionnaire, answers)
    why = "order" if path.is_shown(questionnaire, asked, answers) else "not-asked"
    return redirect(_address(still_open or _consent(), notice=_reason(why)), 303)


def _reason(why: str) -> str:
    """A lost draft explains more than the order of questions does."""
    return "lost" if drafts.current().lost else why


def _address(asked: Question, notice: str | None = None, changing: bool = False) -> str:
    if asked.id == _consent().id:
        return url_for("visit.review", notice=notice)
    address = url_for("visit.question", question_id=asked.id, notice=notice)
    return f"{address}?from=review" if changing else address


def _from_review() -> bool:
    return request.args.get("from") == "review"


def _notice() -> str | None:
    name = request.args.get("notice", "")
    if not name and drafts.current().lost:
        name = "lost"
    return str(NOTICES[name]) if name in NOTICES else None


def _sent(asked: Question) -> QuestionForm:
    """The form as it was sent, and nothing else."""
    form_class: type[QuestionForm] = current_app.extensions["question_forms"][asked.id]
    return form_class(formdata=request.form)


def _question(question_id: str) -> Question:
    asked = site.questionnaire().by_id.get(question_id)
    if asked is None or asked.id == _consent().id:
        raise NotFound
    return asked


def _consent() -> Question:
    return site.questionnaire().by_id[site.questionnaire().roles.consent]


def _agreeing_code() -> str:
    return next(choice.code for choice in _consent().choices if choice.points)
