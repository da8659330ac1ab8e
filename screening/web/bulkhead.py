"""Bulkhead: a bounded number of places with a bounded queue in front, so that one kind of work cannot take all."""

from queue import Empty, SimpleQueue


class Bulkhead:
    """Places for work that is done at once, a few more that wait for one, and no room for others. Thread-safe."""

    def __init__(self, at_once: int, waiting: int, longest_wait: float) -> None:
        """``longest_wait``: in seconds."""
        self._places, self._queue = permits(at_once), permits(waiting)
        self._longest_wait = longest_wait

    def enter(self) -> bool:
        """Take a place, at once or after a wait in the queue; return whether there was one. Then ``leave`` is due."""
        if _acquire(self._places):
            return True
        if not _acquire(self._queue):
            return False
        try:
            return _acquire(self._places, self._longest_wait)
        finally:
            self._queue.put(None)

    def leave(self) -> None:
        """Release the place."""
        self._places.put(None)


def permits(count: int) -> SimpleQueue[None]:
    """Return a semaphore of ``count`` permits: a queue implemented in C, which takes a microsecond a request."""
    queue: SimpleQueue[None] = SimpleQueue()
    for _ in range(count):
        queue.put(None)
    return queue


def _acquire(queue: SimpleQueue[None], seconds: float = 0) -> bool:
    """Acquire a permit within ``seconds``; return whether there was one."""
    try:
        queue.get(seconds > 0, seconds)
    except Empty:
        return False
    return True
