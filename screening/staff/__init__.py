"""Staff: everything under ``/staff``, closed to everyone unless a page is opened on purpose."""

from __future__ import annotations

from flask import Flask, abort
from flask.sessions import SessionInterface, SessionMixin


class NoSessions(SessionInterface):
    """There is nobody to remember yet, so no cookie is read or set."""

    def open_session(self, app: Flask, request: object) -> SessionMixin | None:
        """Nobody's session."""
        return self.make_null_session(app)

    def save_session(self, app: Flask, session: SessionMixin, response: object) -> None:
        """Keep nothing."""

    def is_null_session(self, obj: object) -> bool:
        """Whether a session is nobody's: each is."""
        return True


def init_app(app: Flask) -> None:
    """Refuse every request, before any address is looked up, so that none can be guessed."""
    app.session_interface = NoSessions()

    @app.before_request
    def refuse() -> None:
        abort(403)
