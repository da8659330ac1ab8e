"""Tables of the staff application: accounts, their roles and sessions.

Times are in seconds since 1970, UTC.
"""

from __future__ import annotations

import secrets

from flask_security import RoleMixin, UserMixin
from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, select, text
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from screening.extensions import db
from screening.web.typed_text import identifier, single_line


class Role(db.Model, RoleMixin):  # type: ignore[name-defined]
    """A role of an account. The partial unique index keeps an account from having both separated roles."""

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
    """A staff member. The names that begin with ``fs_``, ``tf_`` and ``mf_`` are Flask-Security's."""

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
    """Identifies the account in its sessions; a new value invalidates all of them."""

    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    """Encrypted, bound to this account."""

    totp_counter: Mapped[int] = mapped_column(BigInteger, default=0)
    """Time step of the last accepted code: it and all earlier ones are refused."""

    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(JSON()))
    """Each encrypted."""

    failures: Mapped[int] = mapped_column(Integer, default=0)
    """Failed attempts in a row, by password or code."""

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
        """Return the account of an e-mail address, in any case, if there is one.

        An address is stored in its normal form (NFKC), or as an earlier version did: an account of exactly what was
        typed comes first.
        """
        typed, normal = single_line(email).lower(), identifier(email).lower()
        found = {
            account.email: account for account in db.session.scalars(select(cls).where(cls.email.in_((typed, normal))))
        }
        return found.get(typed) or found.get(normal)

    @classmethod
    def in_session(cls, uniquifier: str) -> Account | None:
        """Return the account of a session; None if it was disabled, or all its sessions were ended."""
        account: Account | None = db.session.scalar(
            select(cls).where(cls.fs_uniquifier == uniquifier, cls.active.is_(True))
        )
        return account


class StaffSession(db.Model):  # type: ignore[name-defined]
    """A session after the password was accepted. ``id`` is the hash of the cookie, which the row does not disclose."""

    __tablename__ = "staff_session"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(String(32), ForeignKey("staff_account.id"), index=True)
    data: Mapped[str] = mapped_column(Text)
    began: Mapped[int] = mapped_column(BigInteger)
    seen: Mapped[int] = mapped_column(BigInteger)
