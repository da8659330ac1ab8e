"""How the server is started, wherever that is written: in the Makefile, in a unit, in the container file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from screening.config import ROOT


def flags(words: Sequence[str]) -> dict[str, str]:
    """The options of granian's command line and their values; ``app`` is what it serves."""
    assert words[0].endswith("granian")
    *options, app = words[1:]
    assert len(options) % 2 == 0 and all(name.startswith("--") for name in options[::2]), options
    return {**dict(zip(options[::2], options[1::2], strict=True)), "app": app}


def of_the_makefile() -> dict[str, str]:
    """As ``make run`` starts it, without address and port, which are the machine's own matter."""
    text = (ROOT / "Makefile").read_text()
    serve = re.search(r"^SERVE := \$\(BIN\)/(.+)$", text, re.MULTILINE)
    workers = re.search(r"^WORKERS \?= (\d+)$", text, re.MULTILINE)
    assert serve and workers
    assert "exec $(SERVE) --host $(" in text and text.count("wsgi:app\n") == 1
    return flags([*shlex.split(serve[1].replace("$(WORKERS)", workers[1])), "wsgi:app"])
