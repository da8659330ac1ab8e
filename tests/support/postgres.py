"""A temporary PostgreSQL server from the installed binaries, on a private socket."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

import psycopg


def binaries() -> Path:
    """Return the folder of ``initdb`` and ``pg_ctl``: on the path, or Debian's. Fails if there is none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert versions, "PostgreSQL is missing: make test installs it, or prints how"
    return versions[-1].parent


class Cluster:
    """A server for the duration of a ``with`` block. PostgreSQL refuses root, so root starts it as another user."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use ``folder``, which is emptied at the end, or a temporary one."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="pg"))
        self.data = self.folder / "data"

    def __enter__(self) -> Cluster:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        self._run("initdb", "--auth=trust", "--username=site", "--no-sync", "--encoding=UTF8", "--locale=C")
        self.start()
        return self

    def start(self) -> None:
        """Start the server, for the first time or after it was stopped."""
        # Autovacuum could hold a snapshot while a test searches for bytes of deleted rows.
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off -c autovacuum=off"
        self._run("pg_ctl", "--wait", "--silent", "-o", options, "-l", str(self.folder / "log"), "start")

    def stop(self) -> None:
        """Stop the server immediately, as in a crash."""
        self._run("pg_ctl", "--mode=immediate", "--silent", "stop")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, name: str) -> str:
        """Return the URL of a database of this server."""
        return f"postgresql://site@/{name}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Run one statement outside a transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def copy_of(self, template: str) -> str:
        """Return the URL of a fresh copy of a database."""
        name = f"site_{secrets.token_hex(4)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def dump(self, url: str) -> bytes:
        """Return everything that a database stores: a dump, its files, and the files shared by all databases."""
        dumped = b""
        with psycopg.connect(url) as connection:
            for (table,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall():
                with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:  # type: ignore[arg-type]
                    dumped += table.encode() + b"".join(bytes(row) for row in rows)
        shared = (file for file in self.data.rglob("*") if file.is_file() and self.data / "base" not in file.parents)
        return dumped + self.files_of(url) + b"".join(file.read_bytes() for file in shared)

    def files_of(self, url: str) -> bytes:
        """Return the contents of one database's files, without the write-ahead log."""
        with psycopg.connect(url) as connection:
            (oid,) = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()  # type: ignore[misc]
        self.execute("CHECKPOINT")
        return b"".join(file.read_bytes() for file in (self.data / "base" / str(oid)).iterdir())

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(binaries() / program), "-D", str(self.data), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
