"""Mail that must not get lost: written into the transaction of its cause, delivered later by the worker.

What lies in the database says what a mail is about and nothing else: no address, no name, no text.
A wing gives each of its kinds a function that writes the letter when it is sent, on a machine that
may open what was sealed::

    outbox.add_kind(app, "request.waiting", Kind(label, compose, "callbacks.show"))
    outbox.post("request.waiting", request.id, now)   # stored by the commit that stores the request
"""

from screening.outbox.kinds import Kind, Letter, add_kind
from screening.outbox.models import post

__all__ = ["Kind", "Letter", "add_kind", "post"]
