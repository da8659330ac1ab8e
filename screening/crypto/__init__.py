"""Encryption: keys by purpose with rotation, and boxes sealed to a public key."""


class DecryptionError(ValueError):
    """A ciphertext that is damaged, belongs elsewhere, or whose key is gone."""
