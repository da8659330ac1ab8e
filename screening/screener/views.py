"""The pages of the questionnaire: start, questions, review, summary."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, current_app, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.i18n.locale import language_switched
from screening.questionnaires import branching
from screening.questionnaires.model import DECLINED, Answer, Question
from screening.questionnaires.scoring import Help, help_level, score
from screening.screener.blueprint import NOTICES, address, consent_question, go_on_address, reason, screener
from screening.screener.consent import accept_answer, keeps_nothing, settle_response
from screening.screener.forms import ERRORS, STALE, QuestionForm
from screening.walk import Walk, current_walk
from screening.web.compression import with_compression
from screening.web.page_cache import PageCache
from screening.web.page_frame import frame_of


@screener.get("/")
def start() -> Response:
    """The start page: what the questionnaire is, and what happens with the answers."""
    walk = current_walk()
    signs = walk.questionnaire.signs
    page = _cached_page(
        walk,
        "screener/start.html",
        go_on=go_on_address(walk),
        signs=signs,
        began=bool(walk.answers),
        finished=walk.open_question is None,
        notice=_notice(walk),
    )
    return with_compression(page, request.accept_encodings)


@screener.get("/check/<question_id>")
def question(question_id: str) -> AnyResponse | str:
    """One question. If it cannot be reached yet, or is not visible, redirect to the first open one."""
    walk = current_walk()
    asked = _question(walk, question_id)
    if not branching.is_reachable(walk.questionnaire, asked, walk.answers):
        return _to_open(walk, asked)
    return _question_page(walk, asked)


@screener.post("/check/<question_id>")
def answer(question_id: str) -> AnyResponse:
    """Store the answer and redirect to the next question; or, if it is invalid, to the same question with its error."""
    walk = current_walk()
    asked = _question(walk, question_id)
    if not branching.is_visible(walk.questionnaire, asked, walk.answers):
        return _to_open(walk, asked)
    form = _sent(asked)
    if not form.validate() or language_switched():
        return _shown_again(walk, form)
    walk = accept_answer(walk, form.question, form.checked)
    if asked.id == walk.questionnaire.roles.age:
        return _finish(walk, back_to_review=_from_review())
    return redirect(_next(asked, walk), 303)


@screener.get("/check/review")
def review() -> AnyResponse | str:
    """Every answer with a link to change it, and the consent question about the anonymous response."""
    walk = current_walk()
    consent = consent_question(walk)
    if not branching.is_reachable(walk.questionnaire, consent, walk.answers):
        return _to_open(walk, consent)
    return _review_page(walk)


@screener.post("/check/review")
def give_consent() -> AnyResponse:
    """Store the answer to the consent question, and redirect to the summary."""
    walk = current_walk()
    consent = consent_question(walk)
    if not branching.is_reachable(walk.questionnaire, consent, walk.answers):
        return _to_open(walk, consent)
    form = _sent(consent)
    if not form.validate() or language_switched():
        return _shown_again(walk, form)
    walk = accept_answer(walk, form.question, form.checked)
    return redirect(address(walk, walk.open_question), 303) if walk.open_question else _finish(walk)


@screener.get("/summary")
def summary() -> AnyResponse:
    """The result of the answers, for the visitor and for a doctor."""
    return _summary_page("screener/summary.html")


@screener.get("/summary/doctor")
def doctor() -> AnyResponse:
    """The answers on one page to print, with room to write, for a doctor. Drawn from the draft; nothing is stored."""
    return _summary_page("screener/doctor.html")


@screener.app_errorhandler(CSRFError)
def stale_form(error: CSRFError) -> AnyResponse:
    """Show a form without the draft's token again with its answer, so that pressing the button once more sends it.

    A browser without cookies gets the question's page instead of a redirect, because no draft could hold the answer.
    """
    walk = current_walk()
    at_review = request.endpoint == "screener.give_consent"
    question_id = consent_question(walk).id if at_review else (request.view_args or {}).get("question_id", "")
    asked = walk.questionnaire.by_id.get(question_id)
    if asked is not None:
        walk.draft.refuse(asked.id, _sent(asked).answer, STALE)
    if walk.draft.new and asked is not None and not at_review:
        return make_response(_question_page(walk, asked), error.code or 400)
    if walk.draft.new:
        answer_error: Callable[[Exception], AnyResponse] = current_app.extensions["error_page"]
        return answer_error(error)
    if asked is None:
        return redirect(url_for("screener.start", notice=reason(walk, "again")), 303)
    if branching.is_reachable(walk.questionnaire, asked, walk.answers):
        return redirect(address(walk, asked, changing=_from_review()), 303)
    return _to_open(walk, asked)


def _shown_again(walk: Walk, form: QuestionForm) -> AnyResponse:
    """Redirect to the question, which shows what was sent and its error.

    After a switch of language, only an error that was shown before is shown: the visitor did not press Continue.
    """
    _, shown_before = walk.draft.refused(form.question.id) or (None, "")
    error = form.error if shown_before or not language_switched() else None
    walk.draft.refuse(form.question.id, form.answer, error or "")
    return redirect(address(walk, form.question, changing=_from_review()), 303)


def _shown(walk: Walk, asked: Question) -> tuple[Answer | None, str | None]:
    """Return the answer that a question's page shows, and its error message; none if the language was switched."""
    answer, error = walk.draft.refused(asked.id) or (walk.answers.get(asked.id), None)
    return answer, str(ERRORS[error]) if error else None


def _question_page(walk: Walk, asked: Question) -> str:
    questionnaire, answers = walk.questionnaire, walk.answers
    step = branching.section_position(questionnaire, asked, answers)
    earlier = branching.previous_question(questionnaire, asked, answers)
    help_here = earlier is not None and earlier.id == questionnaire.help.question
    answer, error = _shown(walk, asked)
    changing = _from_review()
    back = consent_question(walk) if changing else earlier
    return _cached_page(
        walk,
        "screener/question.html",
        question=asked,
        answer=answer,
        error=error,
        step_text=questionnaire.section_by_id[step.section].step[walk.locale].format(n=step.number, total=step.total),
        marks=tuple(_mark(sign, asked, walk) for sign in questionnaire.signs),
        back=address(walk, back) if back else url_for("screener.start"),
        support=help_here and help_level(questionnaire, answers) is Help.SUPPORT,
        notice=_notice(walk),
        action=address(walk, asked, changing=changing),
        private=keeps_nothing(walk),
    )


def _summary_page(template: str) -> AnyResponse:
    """Return a page about the finished walk; while a question is open, redirect to it."""
    walk = current_walk()
    if walk.open_question:
        return redirect(address(walk, walk.open_question, notice=reason(walk, "order")), 303)
    page = render_template(
        template,
        summary=score(walk.questionnaire, walk.answers),
        ketamine=current_app.extensions["ketamine"],
        response_outcome=walk.draft.get("response_outcome"),
        copy_kept=walk.draft.response_stored,
        shared=walk.draft.shared,
        today=current.today(),
    )
    return with_compression(page, request.accept_encodings)


def _cached_page(walk: Walk, template: str, **values: Any) -> str:
    cache: PageCache = current_app.extensions["page_cache"]
    return cache.page(template, frame_of(walk), walk.draft.form_token, **values)


def _mark(sign: Question, asked: Question, walk: Walk) -> str:
    """Return how a sign is marked in the progress bar: the current one, declined, answered, or open."""
    if sign.id == asked.id:
        return "now"
    if sign.id not in walk.answers:
        return ""
    return "declined" if walk.answers[sign.id] == DECLINED else "done"


def _review_page(walk: Walk) -> str:
    questionnaire, answers, consent = walk.questionnaire, walk.answers, consent_question(walk)
    answered = [q for q in branching.visible_questions(questionnaire, answers) if q.id in answers and q != consent]
    last = branching.previous_question(questionnaire, consent, answers)
    answer, error = _shown(walk, consent)
    return render_template(
        "screener/review.html",
        question=consent,
        answer=answer,
        error=error,
        signs=[q for q in answered if q in questionnaire.signs],
        others=[q for q in answered if q not in questionnaire.signs],
        answers=answers,
        back=address(walk, last) if last else url_for("screener.start"),
        support=help_level(questionnaire, answers) is Help.SUPPORT,
        notice=_notice(walk),
    )


def _finish(walk: Walk, back_to_review: bool = False) -> AnyResponse:
    """Store, change or withdraw the anonymous response of a finished walk; redirect to the summary or the review."""
    if walk.open_question:
        return redirect(address(walk, walk.open_question, notice="order"), 303)
    walk.draft["response_outcome"] = settle_response(walk, current.today()).value
    return redirect(url_for("screener.review" if back_to_review else "screener.summary"), 303)


def _next(asked: Question, walk: Walk) -> str:
    """Return the URL after an answer: the next question; after a change, any question it opened, then the review."""
    if _from_review():
        return address(walk, walk.open_question or consent_question(walk), changing=True)
    following = branching.next_question(walk.questionnaire, asked, walk.answers)
    return address(walk, following) if following else url_for("screener.summary")


def _to_open(walk: Walk, asked: Question) -> AnyResponse:
    """Redirect to the first open question, or to the review if there is none, with a notice of the reason."""
    why = "order" if branching.is_visible(walk.questionnaire, asked, walk.answers) else "not-asked"
    return redirect(address(walk, walk.open_question or consent_question(walk), notice=reason(walk, why)), 303)


def _from_review() -> bool:
    return request.args.get("from") == "review"


def _notice(walk: Walk) -> str | None:
    name = request.args.get("notice") or ("lost" if walk.draft.lost else "")
    return str(NOTICES[name]) if name in NOTICES else None


def _sent(asked: Question) -> QuestionForm:
    """Return a question's form with the data of this request."""
    form_classes: Mapping[str, type[QuestionForm]] = current_app.extensions["question_forms"]
    return form_classes[asked.id](formdata=request.form)


def _question(walk: Walk, question_id: str) -> Question:
    asked = walk.questionnaire.by_id.get(question_id)
    if asked is None or asked == consent_question(walk):
        raise NotFound
    return asked
