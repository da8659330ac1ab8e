"""In-memory counters of rate limits, without the thread that the library's own storage starts at each count."""

from collections.abc import Callable
from threading import Lock

from limits.storage import Storage

MIN_SWEEP = 1024
"""Number of counters from which expired ones are removed."""


class RateLimitStorage(Storage):
    """A thread-safe storage of the library ``limits``, for fixed windows.

    Expired windows are removed whenever the number of counters has doubled: amortized constant time.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` returns the time in seconds since 1970."""
        super().__init__()
        self._clock = clock
        self._lock = Lock()
        self._windows: dict[str, tuple[float, int]] = {}
        """By key: when the window ends, in seconds since 1970, and the count in it."""
        self._sweep_at = MIN_SWEEP

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Exceptions of the storage: none."""
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add ``amount`` to a key's window, which lasts ``expiry`` seconds from its first count; return the count."""
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
        """Return the count in a key's current window."""
        until, count = self._windows.get(key, (0.0, 0))
        return count if until > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """Return when a key's window ends."""
        return self._windows.get(key, (self._clock(), 0))[0]

    def check(self) -> bool:
        """Return whether the storage is available."""
        return True

    def reset(self) -> int:
        """Delete all counters; return how many there were."""
        with self._lock:
            deleted, self._windows = len(self._windows), {}
        return deleted

    def clear(self, key: str) -> None:
        """Delete a key's counter."""
        with self._lock:
            self._windows.pop(key, None)
