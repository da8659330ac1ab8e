"""The pages of the walk."""

from collections.abc import Callable

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from screening import current, draft, responses
from screening.draft import current_answers, current_draft
from screening.i18n import locale
from screening.questionnaires import branching
from screening.questionnaires.model import DECLINED, Answers, Question
from screening.questionnaires.scoring import Help, help_level, score
from screening.screener.consent import settle_response
from screening.screener.forms import EmptyForm, QuestionForm
from screening.walk import Walk, current_walk
from screening.web import page_cache
from screening.web.compression import with_compression

screener = Blueprint("screener", __name__)

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


@screener.get("/")
def start() -> Response:
    """What the check is and what happens with the answers."""
    signs = current.questionnaire().signs
    began = bool(current_answers())
    return with_compression(
        page_cache.cached_page("screener/start.html", first=signs[0], signs=signs, began=began, notice=_notice())
    )


@screener.route("/check/<question_id>", methods=["GET", "POST"])
def question(question_id: str) -> AnyResponse | str:
    """One question. A deep link to one that is not due leads to the one that is."""
    asked = _question(question_id)
    answers = current_answers()
    if request.method == "GET":
        if not branching.is_reachable(current.questionnaire(), asked, answers):
            return _to_open(asked)
        return _question_page(EmptyForm(asked, answers.get(asked.id)), answers)
    if not branching.is_visible(current.questionnaire(), asked, answers):
        return _to_open(asked)
    form = _sent(asked)
    if not form.validate():
        return make_response(_question_page(form, answers), UNPROCESSABLE)
    walk = _take(form)
    if asked.id == walk.questionnaire.roles.age:
        return _finish(walk, back_to_review=_from_review())
    return redirect(_next(asked, walk), 303)


@screener.route("/check/review", methods=["GET", "POST"])
def review() -> AnyResponse | str:
    """Every answer with its Change, and the one choice about the anonymous copy."""
    consent = _consent()
    answers = current_answers()
    if not branching.is_reachable(current.questionnaire(), consent, answers):
        return _to_open(consent)
    if request.method == "GET":
        return _review_page(EmptyForm(consent, answers.get(consent.id)), answers)
    form = _sent(consent)
    if not form.validate():
        return make_response(_review_page(form, answers), UNPROCESSABLE)
    walk = _take(form)
    still_open = branching.first_unanswered(walk.questionnaire, walk.answers)
    return redirect(_address(still_open), 303) if still_open else _finish(walk)


@screener.get("/summary")
def summary() -> AnyResponse:
    """What the answers add up to, for the visitor and for a physician."""
    answers = current_answers()
    still_open = branching.first_unanswered(current.questionnaire(), answers)
    if still_open:
        return redirect(_address(still_open, notice=_reason("order")), 303)
    page = render_template(
        "screener/summary.html",
        summary=score(current.questionnaire(), answers),
        response_outcome=current_draft().get("response_outcome"),
        shared=current_draft().shared,
        today=current.today(),
    )
    return with_compression(page)


@screener.post("/start-again")
def start_again() -> AnyResponse:
    """Forget the answers in this browser and begin anew."""
    draft.start_again()
    return redirect(url_for("screener.start", notice="cleared"), 303)


@screener.post("/more-time")
def more_time() -> AnyResponse:
    """Keep the draft for a day instead of half an hour."""
    draft.extend()
    answers = current_answers()
    if not answers:
        return redirect(url_for("screener.start", notice="more-time"), 303)
    still_open = branching.first_unanswered(current.questionnaire(), answers)
    return redirect(_address(still_open, notice="more-time") if still_open else url_for("screener.summary"), 303)


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
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@screener.app_errorhandler(CSRFError)
def stale_form(error: CSRFError) -> AnyResponse:
    """A form whose token is gone comes back with its choice kept, so one more press sends it."""
    draft.renew_form_token()
    answers = current_answers()
    asked = current.questionnaire().by_id.get((request.view_args or {}).get("question_id", ""))
    if request.endpoint == "screener.review":
        asked = _consent()
        if branching.is_reachable(current.questionnaire(), asked, answers):
            return make_response(_review_page(_stale(asked), answers), 400)
    elif asked and branching.is_visible(current.questionnaire(), asked, answers):
        return make_response(_question_page(_stale(asked), answers), 400)
    if asked and current_draft().lost:
        return _to_open(asked)
    answer_error: Callable[[Exception], AnyResponse] = current_app.extensions["error_page"]
    return answer_error(error)


def _stale(asked: Question) -> QuestionForm:
    form = _sent(asked)
    form.field.errors = (str(STALE),)
    return form


def _question_page(form: QuestionForm | EmptyForm, answers: Answers) -> str:
    questionnaire, asked = current.questionnaire(), form.question
    step = branching.section_position(questionnaire, asked, answers)
    earlier = branching.previous_question(questionnaire, asked, answers)
    help_here = earlier is not None and earlier.id == questionnaire.help.question
    return page_cache.cached_page(
        "screener/question.html",
        question=asked,
        answer=form.answer,
        error=form.error,
        step_text=locale.localized(questionnaire.section_by_id[step.section].step).format(
            n=step.number, total=step.total
        ),
        marks=tuple(_mark(sign, asked, answers) for sign in questionnaire.signs),
        back=_address(_consent()) if _from_review() else _address(earlier) if earlier else url_for("screener.start"),
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


def _review_page(form: QuestionForm | EmptyForm, answers: Answers) -> str:
    questionnaire = current.questionnaire()
    asked = [q for q in branching.visible_questions(questionnaire, answers) if q.id in answers and q != form.question]
    last = branching.previous_question(questionnaire, form.question, answers)
    return render_template(
        "screener/review.html",
        form=form,
        question=form.question,
        signs=[q for q in asked if q in questionnaire.signs],
        others=[q for q in asked if q not in questionnaire.signs],
        answers=answers,
        back=_address(last) if last else url_for("screener.start"),
        support=help_level(questionnaire, answers) is Help.SUPPORT,
        notice=_notice(),
    )


def _take(form: QuestionForm) -> Walk:
    """Store a valid answer in the draft; return the walk that follows from it."""
    before = current_walk()
    after = before.answer(form.question, form.checked)
    if after.draft.get("response_outcome") == responses.StoreResult.PENDING.value and after.answers != before.answers:
        after.draft["response_outcome"] = "stale"
    return after


def _finish(walk: Walk, back_to_review: bool = False) -> AnyResponse:
    """Everything is answered: bring the anonymous response in line with the choice, then show the summary."""
    still_open = branching.first_unanswered(walk.questionnaire, walk.answers)
    if still_open:
        return redirect(_address(still_open, notice="order"), 303)
    walk.draft["response_outcome"] = settle_response(walk, current.today()).value
    return redirect(url_for("screener.review" if back_to_review else "screener.summary"), 303)


def _next(asked: Question, walk: Walk) -> str:
    """Where an answer leads: on, or for a change back to the review by way of what it opened."""
    if _from_review():
        still_open = branching.first_unanswered(walk.questionnaire, walk.answers)
        return _address(still_open or _consent(), changing=True)
    following = branching.next_question(walk.questionnaire, asked, walk.answers)
    return _address(following) if following else url_for("screener.summary")


def _to_open(asked: Question) -> AnyResponse:
    """To the first question still open, or the review when none is, with a word of why."""
    questionnaire, answers = current.questionnaire(), current_answers()
    still_open = branching.first_unanswered(questionnaire, answers)
    why = "order" if branching.is_visible(questionnaire, asked, answers) else "not-asked"
    return redirect(_address(still_open or _consent(), notice=_reason(why)), 303)


def _reason(why: str) -> str:
    """A lost draft explains more than the order of questions does."""
    return "lost" if current_draft().lost else why


def _address(asked: Question, notice: str | None = None, changing: bool = False) -> str:
    if asked.id == _consent().id:
        return url_for("screener.review", notice=notice)
    address = url_for("screener.question", question_id=asked.id, notice=notice)
    return f"{address}?from=review" if changing else address


def _from_review() -> bool:
    return request.args.get("from") == "review"


def _notice() -> str | None:
    name = request.args.get("notice", "")
    if not name and current_draft().lost:
        name = "lost"
    return str(NOTICES[name]) if name in NOTICES else None


def _sent(asked: Question) -> QuestionForm:
    """The form as it was sent, and nothing else."""
    form_class: type[QuestionForm] = current_app.extensions["question_forms"][asked.id]
    return form_class(formdata=request.form)


def _question(question_id: str) -> Question:
    asked = current.questionnaire().by_id.get(question_id)
    if asked is None or asked.id == _consent().id:
        raise NotFound
    return asked


def _consent() -> Question:
    return current.questionnaire().by_id[current.questionnaire().roles.consent]
