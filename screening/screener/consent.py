"""The anonymous response of a visitor: stored, changed or withdrawn as consent and answers require."""

from datetime import date

from screening import responses
from screening.crypto.keyring import Keyring
from screening.questionnaires.model import Answer, Question
from screening.questionnaires.scoring import score
from screening.walk import Walk


def accept_answer(before: Walk, question: Question, given: Answer) -> Walk:
    """Store an answer; return the walk that follows from it. A pending response that says otherwise is out of date."""
    after = before.answer(question, given)
    if after.draft.get("response_outcome") == responses.StoreResult.PENDING.value and after.answers != before.answers:
        after.draft["response_outcome"] = "stale"
    return after


def has_agreed(walk: Walk) -> bool:
    """Return whether the visitor agreed to an anonymous response."""
    consent = walk.questionnaire.by_id[walk.questionnaire.roles.consent]
    return any(choice.points and choice.code == walk.answers.get(consent.id) for choice in consent.choices)


def keeps_nothing(walk: Walk) -> bool:
    """Return whether nothing of this walk is stored, and nothing was agreed to or shared with the clinic."""
    return not (has_agreed(walk) or walk.draft.response_stored or walk.draft.shared)


def settle_response(walk: Walk, keyring: Keyring, today: date) -> responses.StoreResult:
    """Store, change or withdraw the response of a finished walk; ``today`` is the date at the clinic."""
    questionnaire, draft = walk.questionnaire, walk.draft
    stored_before = draft.response_stored
    if has_agreed(walk) and not draft.shared and not score(questionnaire, walk.answers).minor:
        result = responses.record(
            keyring, draft.response_id, questionnaire, walk.answers, f"{today:%Y-%m}", stored_before
        )
    elif "response_outcome" in draft:
        result = responses.withdraw(keyring, draft.response_id, stored_before)
    else:
        result = responses.StoreResult.NONE
    pending = result is responses.StoreResult.PENDING
    draft.response_stored = pending or (stored_before and result is not responses.StoreResult.NONE)
    return result
