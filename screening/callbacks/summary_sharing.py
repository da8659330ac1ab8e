"""A summary that goes with a request, and the anonymous response that it takes the place of."""

from screening import responses
from screening.draft import Draft
from screening.questionnaires.scoring import Summary, score
from screening.walk import Walk


def shareable_summary(walk: Walk) -> Summary | None:
    """The summary as it may be shared; None until every question is answered."""
    if walk.open_question or not walk.answers:
        return None
    return score(walk.questionnaire, walk.answers)


def shared_answers(walk: Walk) -> dict[str, str] | None:
    """The answers that a shared summary consists of: the signs and the two about pain."""
    if shareable_summary(walk) is None:
        return None
    roles = walk.questionnaire.roles
    wanted = {sign.id for sign in walk.questionnaire.signs} | {roles.pain_duration, roles.pain_average}
    return {id_: code for id_, code in walk.answers.items() if id_ in wanted and isinstance(code, str)}


def withdraw_response(draft: Draft) -> responses.StoreResult:
    """Take back the anonymous copy: equal answers with a name beside them would tell whose it is."""
    if "response_outcome" not in draft:
        return responses.StoreResult.NONE
    outcome = responses.withdraw(draft.response_id, stored_before=draft.response_stored)
    if outcome is not responses.StoreResult.UNAVAILABLE:
        draft["response_outcome"], draft.response_stored = outcome.value, outcome is responses.StoreResult.SHUFFLED
    return outcome
