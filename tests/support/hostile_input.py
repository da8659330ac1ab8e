"""Hostile input for forms and addresses."""

from __future__ import annotations

MARKUP = "<zqx\"'>"
"""Breaks markup wherever it is output without escaping."""

HOSTILE_VALUES = [
    *(
        MARKUP,
        "\x00",
        "\r\nX-Injected: yes",
        "../../etc/passwd",
        "//evil.example/",
        "https://evil.example",
        "%0d%0aSet-Cookie:a=b",
    ),
    *(
        "{{7*7}}",
        "%(x)s",
        "\u202eevil",
        "\ud7ff",
        "é" * 50,
        "A" * 5000,
        "' OR 1=1 --",
        "None",
        "-1",
        "3",
        "yes",
        "1" * 400,
    ),
    *("declined", "on", "\u0130", "\ufeff", "a\u0301" * 40, "javascript:alert(1)", "${jndi}", "", " ", "\t", "𝒳" * 20),
]
