"""Two words by which a patient knows that the clinic calls: derived from the reference, in the request's language.

The reference is the key: only the patient holds it, and the database stores a hash of it. So the words stay the same
after a key rotation, and a page that shows the reference can show them. Staff read them in the encrypted request.
"""

import hmac
import tomllib
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).with_suffix(".toml")

WORDS: Mapping[str, tuple[str, ...]] = {
    language: tuple(words.split()) for language, words in tomllib.loads(FILE.read_text(encoding="utf-8")).items()
}
"""The words by language. Others than these languages have the English ones."""


def call_words(reference: str, language: str) -> str:
    """Return the two different words of a request, such as ``maple lantern``."""
    words = WORDS.get(language, WORDS["en"])
    number = int.from_bytes(hmac.digest(reference.encode(), b"call words", "sha256"))
    number, first = divmod(number, len(words))
    second = (first + 1 + number % (len(words) - 1)) % len(words)
    return f"{words[first]} {words[second]}"
