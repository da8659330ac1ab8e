"""Signals for a worker in a test: none for so many rounds, then one that stops it."""

from __future__ import annotations

from tests.support.clock import Clock


class QuietSignals:
    """No signal for ``rounds`` rounds, each as long as the worker's pause; then one."""

    def __init__(self, clock: Clock, rounds: int = 0) -> None:
        self.clock, self.rounds = clock, rounds

    def came_within(self, seconds: float) -> bool:
        """Return whether a signal arrived; moves the clock forward in place of waiting."""
        if seconds:
            self.rounds -= 1
            self.clock.forward(seconds)
        return self.rounds < 0
