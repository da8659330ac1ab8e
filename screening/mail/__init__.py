"""Mail by outbox: stored in the transaction of its cause, delivered later by the worker."""
