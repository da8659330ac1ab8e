"""Passwords: hashing, temporary passwords, and the check of a new password's strength."""

import re
import secrets
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from passlib.context import CryptContext
from passlib.pwd import genphrase

SCHEME = "argon2"
COSTS = {"argon2__memory_cost": 64 * 1024, "argon2__time_cost": 3, "argon2__parallelism": 4}
"""Argon2id with 64 MiB and 3 passes over 4 lanes (RFC 9106, section 4, second choice); Flask-Security has the same."""

CONTEXT = CryptContext([SCHEME], **COSTS)

MIN_LENGTH = 12
MAX_LENGTH = 200
"""Characters. The limit bounds the work of hashing and scoring."""

MIN_STRENGTH = 3
"""Of zxcvbn's 0 to 4: an attacker needs 100 million guesses, which lockout and hashing make infeasible (Wheeler,
"zxcvbn: low-budget password strength estimation", USENIX Security 2016). It knows the 30,000 most common passwords."""

MAX_SCORED = 72
"""Characters. zxcvbn scores no more, and further ones make a password no weaker."""

MIN_NAME_LENGTH = 3
"""Letters of a word of a name that counts for nothing in a password; shorter ones occur in other words."""

PROBLEMS: dict[str, LazyString] = {
    "short": lazy_gettext("Use at least 12 characters. A few words in a row are easy to remember"),
    "long": lazy_gettext("That is too long for a password"),
    "weak": lazy_gettext("That is one of the first a stranger would try. Choose another"),
}
"""Why a password is refused, by code."""


def hash_password(password: str) -> str:
    """Return the hash of a password."""
    return str(CONTEXT.hash(password))


def verify_dummy(password: str) -> None:
    """Take as long as the check of a real password, so that the response time does not disclose missing accounts."""
    CONTEXT.verify(password, _dummy_hash())


@lru_cache(1)
def _dummy_hash() -> str:
    return hash_password(secrets.token_urlsafe())


def temporary_password() -> str:
    """Return a random password, to be changed at the first sign-in: five short words, 51 bits."""
    return str(genphrase(length=5, wordset="eff_short", sep="-"))


def password_problem(password: str, *names: str) -> LazyString | None:
    """Return why a new password is refused; None if it is accepted.

    ``names``: what an attacker knows, that is e-mail address, name of the person and of the clinic.
    """
    if len(password) < MIN_LENGTH:
        return PROBLEMS["short"]
    if len(password) > MAX_LENGTH or "\0" in password:
        return PROBLEMS["long"]
    rest = _without_names(password, names)
    if _is_weak(password, names) or (rest != _folded(password) and _is_weak(rest, names)):
        return PROBLEMS["weak"]
    return None


def _is_weak(password: str, names: Sequence[str]) -> bool:
    from zxcvbn import zxcvbn  # imported on use: its word lists take half a second to load

    return not password or zxcvbn(password[:MAX_SCORED], _variants(names))["score"] < MIN_STRENGTH


def _without_names(password: str, names: Sequence[str]) -> str:
    """Return a password, folded, without the words of these names: only what is left is hard to guess."""
    rest = _folded(password)
    for word in sorted({_folded(word) for word in _variants(names)}, key=len, reverse=True):
        if len(word) >= MIN_NAME_LENGTH:
            rest = rest.replace(word, "")
    return rest


def _folded(text: str) -> str:
    """Return a text in lower case without accents."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()


def _variants(names: Sequence[str]) -> list[str]:
    """Return names as a password may contain them: complete, word by word, and without punctuation."""
    words = [part for name in names for part in (name, *re.findall(r"\w+", name))]
    return [*words, *(re.sub(r"\W", "", name) for name in names)]
