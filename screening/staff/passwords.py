"""Passwords: hashing, temporary passwords, and the check of a new password's strength."""

import base64
import re
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from passlib.context import CryptContext
from passlib.pwd import genphrase
from werkzeug.exceptions import ServiceUnavailable

from screening.web.bulkhead import Bulkhead

SCHEME = "argon2"
COSTS = {"argon2__memory_cost": 64 * 1024, "argon2__time_cost": 3, "argon2__parallelism": 4}
"""Argon2id with 64 MiB and 3 passes over 4 lanes (RFC 9106, section 4, second choice); Flask-Security has the same."""

CONTEXT = CryptContext([SCHEME], **COSTS)

HASHING = Bulkhead(at_once=1, waiting=4, longest_wait=3)
"""One at once: a hash takes 64 MiB and, with its four lanes, every processor. Ten a second suffice for all staff."""

RETRY_SECONDS = 5
"""``Retry-After`` where too many passwords are being hashed."""

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


class BusyError(ServiceUnavailable):
    """Too many passwords are being hashed; nothing was checked or changed."""


@contextmanager
def hashing() -> Iterator[None]:
    """Context manager around hashing, of which one runs at once and a few wait. Raises BusyError.

    Enter it without a database connection: visitors need those.
    """
    if not HASHING.enter():
        raise BusyError(retry_after=RETRY_SECONDS)
    try:
        yield
    finally:
        HASHING.leave()


def hash_password(password: str) -> str:
    """Return the hash of a password. Raises BusyError."""
    with hashing():
        return _hash(password)


def verify(stored: str, password: str) -> str | None:
    """Return the hash to store of a right password, None for a wrong one. Call it within ``hashing``.

    It is ``stored``, unless that has other costs or a password as typed rather than normalized (NFKC): then a new one.
    What is no hash, such as "" for a missing account, takes as much work as a wrong password.
    """
    known = CONTEXT.identify(stored) is not None
    for spelling in dict.fromkeys((_normalized(password), password)):
        right = CONTEXT.verify(_checkable(spelling), stored if known else _dummy_hash())
        if right and known:
            current = spelling == _normalized(password) and not CONTEXT.needs_update(stored)
            return stored if current else _hash(password)
    return None


def _hash(password: str) -> str:
    return str(CONTEXT.hash(_normalized(password)))


def _normalized(password: str) -> str:
    """Return a password in the form that keyboards of all systems agree on (NIST SP 800-63B: NFKC)."""
    return unicodedata.normalize("NFKC", password)


def _checkable(password: str) -> str:
    """Return the password; or an empty one, which no account has, in place of one that no account can have."""
    return "" if len(password) > MAX_LENGTH or "\0" in password else password


def _dummy_hash() -> str:
    """Return a hash of no password, with the current costs."""
    costs, encode = CONTEXT.handler(), lambda size: base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
    salt, digest = encode(costs.default_salt_size), encode(costs.checksum_size)
    return f"$argon2id$v=19$m={costs.memory_cost},t={costs.default_rounds},p={costs.parallelism}${salt}${digest}"


def temporary_password() -> str:
    """Return a random password, to be changed at the first sign-in: five short words, 51 bits."""
    return str(genphrase(length=5, wordset="eff_short", sep="-"))


def password_problem(password: str, *names: str) -> LazyString | None:
    """Return why a new password is refused; None if it is accepted.

    ``names``: what an attacker knows, that is e-mail address, name of the person and of the clinic.
    """
    password = _normalized(password)
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
