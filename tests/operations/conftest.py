"""What is done to the site needs patients who were there before."""

from tests.callback.conftest import ask

__all__ = ["ask"]
