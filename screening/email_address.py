"""E-mail addresses that people type."""

from email_validator import validate_email


def normalize_email(text: str) -> str:
    """Return an address in its normal form; only the syntax is checked.

    Raises ValueError, also for a local part such as ``=?utf-8?q?…?=``: mail programs decode it (RFC 2047), so that the
    header ``To`` would name another recipient.
    """
    address: str = validate_email(text, check_deliverability=False).normalized
    if "=?" in address:
        raise ValueError("an encoded word is no address")
    return address


def mailbox(address: str) -> str:
    """Return an address without what most providers ignore: letter case, and a tag such as ``+news``."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}".casefold()
