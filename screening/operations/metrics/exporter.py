"""Prometheus metrics on a separate port. Counters of all processes are in a folder; gauges come from the database."""

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

METRICS_DIR = ROOT / "instance" / "metrics"


def start(app: Flask) -> None:
    """Count the requests of this process and serve the metrics at ``METRICS_ADDRESS``, if set.

    ``app`` is the outer application. Raises SettingsError when the address cannot be bound, or the folder not written.
    """
    address = app.config["SETTINGS"]["METRICS_ADDRESS"]
    if address is None:
        return
    try:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_folder())  # prometheus_client reads it on import
    except OSError as error:
        raise SettingsError(f"{error.filename}: {error.strerror}: metrics need a folder that they can write") from error
    from prometheus_client import CollectorRegistry, make_wsgi_app, multiprocess

    from screening.operations.metrics import gauges, requests

    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    registry.register(gauges.Gauges(app))
    app.extensions["refusals"].watch = requests.SHED_REQUESTS.inc
    app.wsgi_app = requests.with_request_metrics(app.wsgi_app, requests.LabelResolver(app))  # type: ignore[method-assign]
    _serve(make_wsgi_app(registry), *address)


def _folder() -> Path:
    """Return the folder of this server, named by its parent process; remove folders of servers that ended."""
    METRICS_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in METRICS_DIR.iterdir():
        if not Path(f"/proc/{left.name}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = METRICS_DIR / str(os.getppid())
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
        """Log nothing: there is no access log."""
