"""Whether a release still is what its manifest says: asked for on its page."""

from __future__ import annotations

import hashlib
import json

from flask_babel import gettext

from screening.responses import store
from screening.responses.models import Release


def findings(release: Release) -> list[str]:
    """What is wrong with a release, a sentence each; nothing when all is as stated. Reads every stored row."""
    stated = json.loads(release.manifest)["files"]
    return [problem for name in sorted(stated) for problem in _of_file(release.id, name, stated[name])]


def _of_file(release_id: int, name: str, stated: dict[str, object]) -> list[str]:
    size, digest = 0, hashlib.sha256()
    for piece in store.read(release_id, name):
        size += len(piece)
        digest.update(piece)
    found = []
    if size != stated["bytes"]:
        found.append(
            gettext(
                "%(name)s has %(size)s bytes, and should have %(stated)s.", name=name, size=size, stated=stated["bytes"]
            )
        )
    if digest.hexdigest() != stated["sha256"]:
        found.append(gettext("%(name)s is not what it was: its SHA-256 is another.", name=name))
    return found
