"""The cookie in which a browser holds the call-back form between its pages."""

import logging
from collections.abc import Mapping

from werkzeug.wrappers import Response

from screening.callbacks.form_state import StoredForm
from screening.crypto.keyring import Keyring
from screening.draft import FORM_PATH, FORM_SECONDS, Draft, form_cookie_name

log = logging.getLogger(__name__)


def read(cookies: Mapping[str, str], keyring: Keyring, draft: Draft, now: int, secure: bool) -> StoredForm | None:
    """Return the form that a request's cookies hold for this draft, if there is one."""
    try:
        return StoredForm.read(keyring, cookies.get(form_cookie_name(secure), ""), draft.response_id, now)
    except Exception as error:  # the form's page is shown all the same
        log.error("call-back forms cannot be decrypted: %s", type(error).__name__)
        return None


def store(response: Response, form: StoredForm, keyring: Keyring, draft: Draft, secure: bool) -> bool:
    """Store the form with a response, bound to the draft; return whether that could be done."""
    try:
        value = form.encrypted(keyring, draft.response_id)
    except Exception as error:  # the caller then shows the form's page directly
        log.error("call-back forms cannot be encrypted: %s", type(error).__name__)
        return False
    if value is None:
        return False
    draft.bind_form()
    name, lasts = form_cookie_name(secure), FORM_SECONDS
    response.set_cookie(name, value, lasts, path=FORM_PATH, secure=secure, httponly=True, samesite="Lax")
    return True
