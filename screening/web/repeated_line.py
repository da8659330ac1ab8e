"""Thins a log line that repeats, as while a database is away for an hour. Pure: the time is a parameter."""

THINNED_SECONDS = 10 * 60
"""Seconds in which a line that was logged is only counted."""

MOST_LINES = 100
"""Lines remembered; from then on the first ones are forgotten."""


class RepeatedLine:
    """Remembers when each line was last logged, and how often it came since."""

    def __init__(self) -> None:
        self._logged: dict[str, tuple[float, int]] = {}

    def thinned(self, line: str, now: float) -> str:
        """Return the line to log: with the number of its repetitions, or empty while it is only counted.

        ``now`` is in seconds, of any clock; one that was set back logs the line again.
        """
        since, count = self._logged.get(line, (now - THINNED_SECONDS, 0))
        if 0 <= now - since < THINNED_SECONDS:
            self._logged[line] = since, count + 1
            return ""
        self._logged[line] = now, 0
        if len(self._logged) > MOST_LINES:
            del self._logged[next(iter(self._logged))]
        return f"{line} (repeated {count} times)" if count else line
