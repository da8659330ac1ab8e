"""The command that starts the server, as the Makefile, a systemd unit and the container file state it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from screening.config import ROOT


def flags(words: Sequence[str]) -> dict[str, str]:
    """Return the options of granian's command line with their values, empty for a switch; ``app`` is the target."""
    assert words[0].endswith("granian")
    found, name = {"app": words[-1]}, ""
    for word in words[1:-1]:
        assert word.startswith("--") or not found.get(name, "nothing before it"), words
        if word.startswith("--"):
            name, found[word] = word, ""
        else:
            found[name] = word
    return found


def of_the_makefile() -> dict[str, str]:
    """Return the options of ``make run`` without address and port, which differ by machine."""
    text = (ROOT / "Makefile").read_text()
    common = re.search(r"^FLAGS := (.+)$", text, re.MULTILINE)
    workers = re.search(r"^WORKERS \?= (\d+)$", text, re.MULTILINE)
    assert common and workers and "SERVE := $(BIN)/granian $(FLAGS) --workers $(WORKERS)\n" in text
    assert "exec $(SERVE) --host $(" in text and text.count("wsgi:app\n") == 1
    return flags(["granian", *shlex.split(common[1]), "--workers", workers[1], "wsgi:app"])
