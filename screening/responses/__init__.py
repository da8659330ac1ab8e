"""Anonymous copies: how one comes in, is changed, and is taken back.

``record`` and ``withdraw`` are the one door through which other wings may reach this one.
"""

from screening.responses.pending import StoreResult, record, withdraw

__all__ = ["StoreResult", "record", "withdraw"]
