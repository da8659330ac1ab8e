"""Encryption: symmetric keys by purpose with rotation, and sealed boxes for a public key."""


class DecryptionError(ValueError):
    """A ciphertext is damaged, bound to other associated data, or encrypted with a key that no longer exists."""
