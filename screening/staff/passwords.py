"""Passwords: how they are hashed, made for somebody, and told from guessable ones."""

import re
import secrets
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
"""Characters. A longer one is a mistake, or meant to keep the server busy."""

MIN_STRENGTH = 3
"""Of zxcvbn's 0 to 4: a stranger needs 100 million guesses or more, which waits and hashing make hopeless (Wheeler,
"zxcvbn: low-budget password strength estimation", USENIX Security 2016). It knows the 30,000 commonest passwords."""

MAX_SCORED = 72
"""Characters. zxcvbn takes no more, and what follows so many makes nothing worse."""

PROBLEMS: dict[str, LazyString] = {
    "short": lazy_gettext("Use at least 12 characters. A few words in a row are easy to remember"),
    "long": lazy_gettext("That is too long for a password"),
    "weak": lazy_gettext("That is one of the first a stranger would try. Choose another"),
}
"""Why a password cannot be taken, by code."""


def hash_password(password: str) -> str:
    """A password as it is stored."""
    return str(CONTEXT.hash(password))


def verify_dummy(password: str) -> None:
    """Take as long as checking a real password, for an account that is not there."""
    CONTEXT.verify(password, _nobodys_hash())


@lru_cache(1)
def _nobodys_hash() -> str:
    return hash_password(secrets.token_urlsafe())


def temporary_password() -> str:
    """A password to hand over and to be changed at once: five short words, 51 bits."""
    return str(genphrase(length=5, wordset="eff_short", sep="-"))


def password_problem(password: str, *names: str) -> LazyString | None:
    """Why a new password cannot be taken; None when it can.

    ``names`` is what others know: the e-mail address, the person's name, the clinic's.
    """
    if len(password) < MIN_LENGTH:
        return PROBLEMS["short"]
    if len(password) > MAX_LENGTH or "\0" in password:
        return PROBLEMS["long"]
    from zxcvbn import zxcvbn  # its lists take half a second to load, and are seldom needed

    if zxcvbn(password[:MAX_SCORED], _known(names))["score"] < MIN_STRENGTH:
        return PROBLEMS["weak"]
    return None


def _known(names: Sequence[str]) -> list[str]:
    """Names as somebody may write them in a password: whole, without what is no letter or digit, and word by word."""
    words = [part for name in names for part in (name, *re.findall(r"\w+", name))]
    return [*words, *(re.sub(r"\W", "", name) for name in names)]
