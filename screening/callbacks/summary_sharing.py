"""A summary that goes with a request, and the anonymous response that it takes the place of."""

from screening import current, responses
from screening.draft import current_answers, current_draft
from screening.questionnaires import branching
from screening.questionnaires.scoring import Summary, score


def shareable_summary() -> Summary | None:
    """The summary as it may be shared; None until every question is answered."""
    answers = current_answers()
    if branching.first_unanswered(current.questionnaire(), answers) or not answers:
        return None
    return score(current.questionnaire(), answers)


def shared_answers() -> dict[str, str] | None:
    """The answers that a shared summary consists of: the signs and the two about pain."""
    summary = shareable_summary()
    if summary is None:
        return None
    questionnaire = current.questionnaire()
    roles = questionnaire.roles
    wanted = {sign.id for sign in questionnaire.signs} | {roles.pain_duration, roles.pain_average}
    return {id_: code for id_, code in current_answers().items() if id_ in wanted and isinstance(code, str)}


def withdraw_response() -> responses.StoreResult:
    """Take back the anonymous copy: equal answers with a name beside them would tell whose it is."""
    draft = current_draft()
    if "response_outcome" not in draft:
        return responses.StoreResult.NONE
    outcome = responses.withdraw(draft.response_id, kept_before=draft.response_stored)
    if outcome is not responses.StoreResult.UNAVAILABLE:
        draft["response_outcome"], draft.response_stored = outcome.value, outcome is responses.StoreResult.SHUFFLED
    return outcome
