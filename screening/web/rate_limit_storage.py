"""In-memory counters of rate limits, swept as new ones come: the library's own starts a thread at each count."""

from collections.abc import Callable
from threading import Lock

from limits.storage import Storage

MIN_SWEEP = 1024
"""So many counts may stand before those that are over are looked for."""


class RateLimitStorage(Storage):
    """A storage of the library ``limits``, for fixed windows; safe among threads.

    Windows that are over go whenever the counts have doubled, so a count costs the same however many there are.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` gives the time in seconds since 1970."""
        super().__init__()
        self._clock = clock
        self._lock = Lock()
        self._windows: dict[str, tuple[float, int]] = {}
        """The time, in seconds since 1970, at which a window is over, and how much was counted in it."""
        self._sweep_at = MIN_SWEEP

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """What may go wrong: nothing."""
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count ``amount`` under a key whose window, from its first count on, lasts ``expiry`` seconds; all so far."""
        now = self._clock()
        with self._lock:
            until, count = self._windows.get(key, (0.0, 0))
            if until <= now:
                until, count = now + expiry, 0
            self._windows[key] = until, count + amount
            if len(self._windows) > self._sweep_at:
                self._windows = {name: window for name, window in self._windows.items() if window[0] > now}
                self._sweep_at = max(MIN_SWEEP, 2 * len(self._windows))
        return count + amount

    def get(self, key: str) -> int:
        """What was counted in a key's present window."""
        until, count = self._windows.get(key, (0.0, 0))
        return count if until > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """When a key's window is over."""
        return self._windows.get(key, (self._clock(), 0))[0]

    def check(self) -> bool:
        """Whether the storage can be used."""
        return True

    def reset(self) -> int:
        """Forget everything; how many counts there were."""
        with self._lock:
            gone, self._windows = len(self._windows), {}
        return gone

    def clear(self, key: str) -> None:
        """Forget a key's count."""
        with self._lock:
            self._windows.pop(key, None)
