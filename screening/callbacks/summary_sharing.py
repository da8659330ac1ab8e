"""The summary shared with a request, and the withdrawal of the anonymous response with the same answers."""

from screening import responses
from screening.crypto.keyring import Keyring
from screening.draft import Draft
from screening.questionnaires.scoring import Summary, score
from screening.walk import Walk


def shareable_summary(walk: Walk) -> Summary | None:
    """Return the summary that may be shared; None until every question is answered."""
    if walk.open_question or not walk.answers:
        return None
    return score(walk.questionnaire, walk.answers)


def shared_answers(walk: Walk) -> dict[str, str]:
    """Return the answers of a finished walk that a shared summary consists of: signs, pain duration, average pain."""
    roles = walk.questionnaire.roles
    wanted = {sign.id for sign in walk.questionnaire.signs} | {roles.pain_duration, roles.pain_average}
    return {id_: code for id_, code in walk.answers.items() if id_ in wanted and isinstance(code, str)}


def withdraw_response(keyring: Keyring, draft: Draft) -> responses.StoreResult:
    """Withdraw the anonymous response: the same answers in a named request would identify it."""
    if "response_outcome" not in draft:
        return responses.StoreResult.NONE
    outcome = responses.withdraw(keyring, draft.response_id, stored_before=draft.response_stored)
    if outcome is not responses.StoreResult.UNAVAILABLE:
        draft["response_outcome"], draft.response_stored = outcome.value, outcome is responses.StoreResult.SHUFFLED
    return outcome
