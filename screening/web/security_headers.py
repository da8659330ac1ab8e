"""Security headers. ``Referrer-Policy`` is same-origin, because with no-referrer browsers send ``Origin: null``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask

from screening.durations import YEAR_SECONDS

UNUSED_FEATURES = ("camera", "geolocation", "microphone", "payment", "usb", "browsing-topics", "interest-cohort")


def policy(secure: bool, frame_ancestors: tuple[str, ...], form_targets: tuple[str, ...]) -> Mapping[str, str]:
    """Return the headers that pages and static files share.

    ``form_targets``: other origins that a form may lead to, redirects after a POST included.
    """
    content = (
        "default-src 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        " ".join(("form-action 'self'", *form_targets)),
        f"frame-ancestors {' '.join(frame_ancestors) or repr('none')}",
    )
    headers = {
        "Content-Security-Policy": "; ".join(content),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    if not frame_ancestors:
        headers["X-Frame-Options"] = "DENY"
    if secure:
        headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
    return headers


def init_app(app: Flask, headers: Mapping[str, str]) -> None:
    """Add the headers to every response of an application, and ``no-store`` where it sets no ``Cache-Control``.

    Added in WSGI middleware, because Werkzeug validates every header on each response.
    """
    inner, pairs, never_stored = app.wsgi_app, list(headers.items()), ("Cache-Control", "no-store")

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, own: list[tuple[str, str]], *more: Any) -> Any:
            stored = [] if any(name == never_stored[0] for name, _ in own) else [never_stored]
            return start_response(status, [*own, *pairs, *stored], *more)

        return inner(environ, start)

    app.wsgi_app = answer  # type: ignore[method-assign]
