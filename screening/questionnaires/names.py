"""Ids and codes that a definition may use, so that every export can hold them."""

import re

from screening.questionnaires.model import NOT_ANSWERED, NOT_SHOWN

MAX_VERSION = 2**31 - 1
"""Highest ``version`` that the database stores."""

MAX_NAME = 40
"""Longest ``id`` of a questionnaire, which each response holds."""

RESERVED_IDS = frozenset({"review", "period", "age_band", "rows", "record_id", "questionnaire", "version"})
"""Addresses and columns of the software's own."""

STATISTICS_WORDS = re.compile(
    "all|and|by|eq|ge|gt|le|lt|ne|not|or|to|with"  # IBM SPSS Statistics, "Variable names"
    "|byte|double|float|if|in|int|long|str[0-9]+|strl|using"  # Stata, "help reswords"
)
"""What SPSS, in any case, or Stata refuses as the name of a variable."""

RESERVED_CODES = frozenset({NOT_SHOWN, NOT_ANSWERED, "any", "masked", "noticed", "not_noticed"})
MAX_ID = 26
"""Longest ``id`` of a question: REDCap's limit for names of fields."""

ID = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")
"""Valid ids, by REDCap's rules: no leading, trailing or double underscore."""

CODE = re.compile("[a-z0-9_]{1,20}")
"""Valid codes of choices: exported data then needs no quoting."""


def is_reserved(id_: str) -> bool:
    """Return whether no question may have this id: the software or a statistics program uses it."""
    return id_ in RESERVED_IDS or STATISTICS_WORDS.fullmatch(id_) is not None
