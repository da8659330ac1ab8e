"""Anonymous responses. Other packages use ``record``, ``withdraw`` and ``models`` only."""

from screening.responses.pending import StoreResult, record, withdraw

__all__ = ["StoreResult", "record", "withdraw"]
