"""Figures for Prometheus, on a port of their own.

Every process that serves the site listens on that port too (the kernel gives each look to one of
them) and answers for all: what each counts lies in a folder they share, the rest in the database.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from flask import Flask

from screening.config import ROOT, SettingsError

FOLDERS = ROOT / "instance" / "metrics"


def start(app: Flask) -> None:
    """Count what this process answers, and serve the figures, where ``METRICS_ADDRESS`` says so.

    ``app`` is the application in front. Raises SettingsError when the address cannot be listened on.
    """
    address = app.config["SETTINGS"]["METRICS_ADDRESS"]
    if address is None:
        return
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_folder())  # the library looks for it when it is imported
    from prometheus_client import CollectorRegistry, make_wsgi_app, multiprocess

    from screening.operations import counting, gauges

    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    registry.register(gauges.Gauges(app))
    app.extensions["refusals"].watch = counting.REFUSED.inc
    app.wsgi_app = counting.counted(app.wsgi_app, counting.Places(app))  # type: ignore[method-assign]
    _serve(make_wsgi_app(registry), *address)


def _folder() -> Path:
    """The folder of this run of the server, named by the process that started us; those of runs that ended go."""
    FOLDERS.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in FOLDERS.iterdir():
        if not Path(f"/proc/{left.name}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = FOLDERS / str(os.getppid())
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def _serve(application: Callable[..., Any], host: str, port: int) -> None:
    try:
        server = make_server(host, port, application, _Server, _Silent)
    except OSError as error:
        raise SettingsError(f"SCREENING_METRICS_ADDRESS {host}:{port}: {error.strerror}") from error
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_port = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Say nothing: there is no access log."""
