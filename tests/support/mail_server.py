"""A real SMTP server with configurable answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

OK, SILENCE, HANG_UP = "250 OK", "silence", "hang up"
"""Answers to a message. After the last two the server has the message, and the client cannot know it."""


class MailServer(Controller):
    """A mail server. ``answers`` are used for the next messages, one each; later messages are accepted."""

    def __init__(self, **options: Any) -> None:
        super().__init__(self, hostname="127.0.0.1", port=0, **options)
        self.answers: list[str] = []
        self.refused: dict[str, str] = {}
        self.arrived: list[EmailMessage] = []
        self.acknowledged: list[str] = []
        self.on_arrival: Callable[[], None] = lambda: None

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else OK
        if answer in (OK, SILENCE, HANG_UP):
            self.arrived.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        if answer == SILENCE:
            await asyncio.Event().wait()
        if answer == HANG_UP:
            server.transport.abort()
        if answer == OK:
            self.acknowledged.append(self.arrived[-1]["Message-ID"])
            self.on_arrival()
        return answer

    def to(self, address: str) -> list[EmailMessage]:
        """Return the messages that arrived for an address."""
        return [message for message in self.arrived if message["To"] == address]


def plain(message: EmailMessage) -> str:
    """Return the text of a message's plain part."""
    part = message.get_body(("plain",))
    assert part is not None
    text: str = part.get_content()
    return text.replace("\r\n", "\n")
