"""Anonymous responses. Other packages use ``record``, ``withdraw``, ``held_batches`` and ``models`` only."""

from screening.responses import held_batches
from screening.responses.pending import StoreResult, record, withdraw

__all__ = ["StoreResult", "held_batches", "record", "withdraw"]
