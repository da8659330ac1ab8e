"""Anonymous copies: how one comes in, is changed, and is taken back.

``record`` and ``withdraw`` are the one door through which other wings may reach this one.
"""

from screening.responses.inbox import Outcome, record, withdraw

__all__ = ["Outcome", "record", "withdraw"]
