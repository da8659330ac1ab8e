"""Authenticated encryption of a backup file: libsodium's secretstream (XChaCha20-Poly1305) in chunks.

A first line in plain text names the key. Each chunk is bound to that line and to its position, and the last is marked,
so changes, removal, insertion and reordering are detected. No byte is returned before its chunk is authenticated.
https://doc.libsodium.org/secret-key_cryptography/secretstream
"""

import io
import re
from pathlib import Path
from typing import Any, BinaryIO

from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_ABYTES,
    crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    crypto_secretstream_xchacha20poly1305_init_pull,
    crypto_secretstream_xchacha20poly1305_init_push,
    crypto_secretstream_xchacha20poly1305_pull,
    crypto_secretstream_xchacha20poly1305_push,
    crypto_secretstream_xchacha20poly1305_state,
    crypto_secretstream_xchacha20poly1305_TAG_FINAL,
    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE,
)
from nacl.exceptions import CryptoError

from screening.crypto import DecryptionError
from screening.crypto.keyring import BACKUP, Keyring
from screening.operations.backup import BackupError, Progress

KEY_LABEL = "backup file"
CHUNK_BYTES = 1 << 16
"""Plaintext bytes of a chunk; only the last one is shorter."""

ENCRYPTED_CHUNK_BYTES = CHUNK_BYTES + crypto_secretstream_xchacha20poly1305_ABYTES
HEADER_LINE = "screening backup 1, key {}\n"
"""The number is the version of the format."""

HEADER_LINE_BYTES = len(HEADER_LINE.format("8 digits"))


class EncryptingWriter:
    """A writable file object that encrypts with the active backup key. Complete only after ``finish``."""

    def __init__(self, file: BinaryIO, keyring: Keyring) -> None:
        key_id = keyring.active_id(BACKUP)
        self._file, self._first_line = file, HEADER_LINE.format(key_id).encode()
        self._state: Any = crypto_secretstream_xchacha20poly1305_state()
        key = keyring.derive(BACKUP, KEY_LABEL, key_id)
        header = crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
        file.write(self._first_line + header)
        self._buffer = bytearray()

    def write(self, data: bytes) -> int:
        """Buffer data and write full chunks."""
        self._buffer += data
        while len(self._buffer) > CHUNK_BYTES:
            self._write_chunk(crypto_secretstream_xchacha20poly1305_TAG_MESSAGE)
        return len(data)

    def flush(self) -> None:
        """Do nothing: only full chunks are written, and ``finish`` writes the last one."""

    def finish(self) -> None:
        """Write the last chunk, marked as final. Without it the reader refuses the file as truncated."""
        self._write_chunk(crypto_secretstream_xchacha20poly1305_TAG_FINAL)

    def _write_chunk(self, tag: int) -> None:
        chunk = bytes(self._buffer[:CHUNK_BYTES])
        del self._buffer[:CHUNK_BYTES]
        self._file.write(crypto_secretstream_xchacha20poly1305_push(self._state, chunk, self._first_line, tag))


class DecryptingReader(io.RawIOBase):
    """Reads what an ``EncryptingWriter`` wrote; ``progress`` receives the number of bytes read from the file.

    Raises BackupError: not a backup, unknown key, or damaged.
    """

    def __init__(self, file: BinaryIO, keyring: Keyring, progress: Progress = lambda size: None) -> None:
        self._file, self._name, self._progress = file, Path(file.name).name, progress
        self._first_line = file.read(HEADER_LINE_BYTES)
        key = self._key(keyring)
        header = file.read(crypto_secretstream_xchacha20poly1305_HEADERBYTES)
        if len(header) < crypto_secretstream_xchacha20poly1305_HEADERBYTES:
            raise self.damaged()
        self._state: Any = crypto_secretstream_xchacha20poly1305_state()
        crypto_secretstream_xchacha20poly1305_init_pull(self._state, header, key)
        self._chunk, self._ended = memoryview(b""), False

    def damaged(self) -> BackupError:
        """Return the error to raise for a damaged or truncated file."""
        return BackupError(f"{self._name} is damaged or truncated: use another backup")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with at most the rest of the current chunk; return the number of bytes."""
        while not self._chunk and not self._ended:
            self._next_chunk()
        count = min(len(buffer), len(self._chunk))
        buffer[:count], self._chunk = self._chunk[:count], self._chunk[count:]
        return count

    def _key(self, keyring: Keyring) -> bytes:
        match = re.fullmatch(HEADER_LINE.format("([a-z0-9]{8})").encode(), self._first_line)
        if not match:
            raise BackupError(f"{self._name} is not a backup that this version can read")
        key_id = match[1].decode()
        try:
            return keyring.derive(BACKUP, KEY_LABEL, key_id)
        except DecryptionError:
            message = f"{self._name} is encrypted with key {key_id}, which is not in backup.toml: restore that key file"
            raise BackupError(message) from None

    def _next_chunk(self) -> None:
        ciphertext = self._file.read(ENCRYPTED_CHUNK_BYTES)
        try:
            chunk, tag = crypto_secretstream_xchacha20poly1305_pull(self._state, ciphertext, self._first_line)
        except (CryptoError, ValueError):
            raise self.damaged() from None
        self._ended = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL
        if self._ended and self._file.read(1):
            raise self.damaged()
        self._chunk = memoryview(chunk)
        self._progress(len(ciphertext))
