"""Mail by outbox: stored in the transaction of the event it reports, delivered later by the worker."""
