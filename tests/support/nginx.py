"""nginx with the shipped configuration, on free ports and in a folder of its own."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from screening.cli.commands_app import create_commands_app
from screening.config import ROOT
from tests.support.certificates import self_signed
from tests.support.ports import HeldPort
from tests.support.processes import TEST_TIMEOUT

SHIPPED = ROOT / "deploy" / "nginx"

AROUND = """
{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
{modules}
events {{ worker_connections 1024; }}
http {{
    include {mime};
    access_log {folder}/access.log;
    client_body_temp_path {folder}/temp/body;
    proxy_temp_path {folder}/temp/proxy;
    fastcgi_temp_path {folder}/temp/fastcgi;
    uwsgi_temp_path {folder}/temp/uwsgi;
    scgi_temp_path {folder}/temp/scgi;
    gzip on;
    include conf.d/*.conf;
}}
"""
"""A main configuration like those of distributions, with full logging; only its paths differ."""


@cache
def printed(what: str) -> str:
    """Return the output of ``flask nginx`` for the demo clinic behind https."""
    app = create_commands_app({"HTTPS": True, "CLINIC_FILE": ROOT / "no-clinic.toml"})
    done = app.test_cli_runner().invoke(args=["nginx", what])
    assert done.exit_code == 0, done.stderr
    return done.stdout


class Nginx:
    """A running nginx in front of nodes on these ports, for the duration of a ``with`` block."""

    def __init__(self, folder: Path, visitors: Sequence[int], staff: Sequence[int]) -> None:
        self._held = HeldPort(), HeldPort()
        self.folder, self.port, self.open_port = folder, self._held[0].number, self._held[1].number
        for name in ("screening", "conf.d", "temp"):
            (folder / name).mkdir(parents=True)
        site_folder = folder / "screening"
        (site_folder / "away.html").write_text(printed("error-page"), encoding="utf-8")
        (site_folder / "headers.conf").write_text(printed("headers"), encoding="utf-8")
        for made, name in zip(self_signed(site_folder), ("fullchain.pem", "privkey.pem"), strict=True):
            made.rename(site_folder / name)
        modules = sorted(Path("/etc/nginx/modules-enabled").glob("*brotli-static.conf"))
        if modules:
            shutil.copy(SHIPPED / "static-brotli.conf", site_folder)
        out_of_rotation = AROUND.format(
            folder=folder,
            user="user root;" if os.geteuid() == 0 else "",
            modules="\n".join(f"include {module};" for module in modules),
            mime="/etc/nginx/mime.types",
        )
        (folder / "nginx.conf").write_text(out_of_rotation)
        (folder / "conf.d" / "screening.conf").write_text(self.configuration(visitors, staff))

    def configuration(self, visitors: Sequence[int], staff: Sequence[int]) -> str:
        """Return the shipped configuration with addresses, ports, host name and paths replaced."""
        text = (SHIPPED / "screening.conf").read_text()
        for name, ports in (("visitors", visitors), ("staff", staff)):
            block = re.search(rf"upstream screening_{name} {{\n((?: +server 127\.0\.0\.1:\d+ .*\n)+)}}", text)
            assert block, name
            line = block[1].splitlines(keepends=True)[0]
            lines = "".join(re.sub(r":\d+", f":{port}", line, count=1) for port in ports)
            text = text[: block.start(1)] + lines + text[block.end(1) :]
        for shipped, replacement in {
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "listen [::]:443 ": f"listen unix:{self.folder}/tls.socket ",
            "listen 80;": f"listen 127.0.0.1:{self.open_port};",
            "listen [::]:80;": f"listen unix:{self.folder}/open.socket;",
            "/etc/letsencrypt/live/check.clinic.example/": f"{self.folder}/screening/",
            "check.clinic.example": "localhost",
            "/etc/nginx/screening;": f"{self.folder}/screening;",
            "/srv/screening/": f"{ROOT}/",
            "/var/www/html": f"{self.folder}/acme",
        }.items():
            assert shipped in text, f"{shipped} is not in the shipped file"
            text = text.replace(shipped, replacement)
        return text

    def __enter__(self) -> Nginx:
        command = self.command()
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr + self.log_text()
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while True:
            assert self.process.poll() is None, self.log_text()
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except ConnectionRefusedError:
                continue

    def command(self) -> list[str]:
        """The command line of this nginx, to start it or to signal the running one."""
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert program, "nginx is missing: make test installs it, or prints how"
        return [program, "-e", f"{self.folder}/error.log", "-c", f"{self.folder}/nginx.conf"]

    def out_of_rotation(self, port: int, *command: str) -> subprocess.Popen[str]:
        """Start a command through the shipped script, which takes the node on this port out of rotation meanwhile."""
        own = {
            "FILE": str(self.folder / "conf.d" / "screening.conf"),
            "NGINX_COMMAND": " ".join(self.command()),
            "PID_FILE": str(self.folder / "nginx.pid"),
        }
        words = [str(SHIPPED / "around"), f"127.0.0.1:{port}", *command]
        pipe = subprocess.PIPE
        return subprocess.Popen(words, env={**os.environ, **own}, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(TEST_TIMEOUT)
        for held in self._held:
            held.release()

    def log_text(self) -> str:
        """Return everything that was logged."""
        return "".join(file.read_text() for file in self.folder.glob("*.log"))

    def connect(
        self, name: str = "localhost", source: str = "127.0.0.1", timeout: float = 60
    ) -> http.client.HTTPSConnection:
        """Open a TLS connection as a browser does to a site of this name; the certificate is self-signed."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(name, self.port, timeout=timeout, context=context)
        connection._create_connection = (  # type: ignore[attr-defined]
            lambda address, *rest: socket.create_connection(("127.0.0.1", self.port), timeout, (source, 0))
        )
        return connection

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Send one request for the host localhost; return the answer, its body read."""
        connection = self.connect()
        connection.request(method, path, body, {"Host": "localhost", **(headers or {})})
        answer = connection.getresponse()
        answer.body = answer.read()  # type: ignore[attr-defined]
        connection.close()
        return answer
