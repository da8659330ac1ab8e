"""What is kept about staff: accounts, the roles they have, and the sessions they are in.

Times are in seconds since 1970, UTC.
"""

from __future__ import annotations

import secrets

from flask_security import RoleMixin, UserMixin
from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, select, text
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from screening.extensions import db


class Role(db.Model, RoleMixin):  # type: ignore[name-defined]
    """One role of one account. The index keeps the two apart that nobody may hold together."""

    __tablename__ = "staff_role"
    __table_args__ = (
        Index(
            "staff_role_apart",
            "account_id",
            unique=True,
            sqlite_where=text("name IN ('rows', 'callbacks')"),
            postgresql_where=text("name IN ('rows', 'callbacks')"),
        ),
    )

    account_id: Mapped[str] = mapped_column(String(32), ForeignKey("staff_account.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(20), primary_key=True)


class Account(db.Model, UserMixin):  # type: ignore[name-defined]
    """One member of staff. The names that begin with ``fs_``, ``tf_`` and ``mf_`` are Flask-Security's."""

    __tablename__ = "staff_account"

    id: Mapped[str] = mapped_column(  # type: ignore[assignment]
        String(32), primary_key=True, default=lambda: secrets.token_hex(16)
    )
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """In lower case."""

    name: Mapped[str] = mapped_column(String(100))
    password: Mapped[str] = mapped_column(String(255))
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=True)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True, default=lambda: secrets.token_hex(32))
    """Stands for the account in its sessions; a new one makes all of them void."""

    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    """Sealed, for this account."""

    totp_counter: Mapped[int] = mapped_column(BigInteger, default=0)
    """The time step of the last code that was accepted: it and all before it are used up."""

    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(JSON()))
    """Each encrypted."""

    failures: Mapped[int] = mapped_column(Integer, default=0)
    """Wrong passwords and codes in a row."""

    locked_until: Mapped[int] = mapped_column(BigInteger, default=0)
    last_sign_in: Mapped[int | None] = mapped_column(BigInteger)
    roles: Mapped[list[Role]] = relationship(  # type: ignore[assignment]
        Role, lazy="selectin", cascade="all, delete-orphan", order_by=Role.name
    )

    @property
    def role_names(self) -> frozenset[str]:
        """The names of the account's roles."""
        return frozenset(role.name for role in self.roles)

    @classmethod
    def with_email(cls, email: str) -> Account | None:
        """The account of an e-mail address, however it is written."""
        account: Account | None = db.session.scalar(select(cls).where(cls.email == email.strip().lower()))
        return account

    @classmethod
    def in_session(cls, uniquifier: str) -> Account | None:
        """The account that a session is of, unless it was disabled or all its sessions were ended."""
        account: Account | None = db.session.scalar(
            select(cls).where(cls.fs_uniquifier == uniquifier, cls.active.is_(True))
        )
        return account


class StaffSession(db.Model):  # type: ignore[name-defined]
    """One browser somebody's password was accepted in. ``id`` is a hash: the row cannot be turned into a cookie."""

    __tablename__ = "staff_session"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(String(32), ForeignKey("staff_account.id"), index=True)
    data: Mapped[str] = mapped_column(Text)
    began: Mapped[int] = mapped_column(BigInteger)
    seen: Mapped[int] = mapped_column(BigInteger)
