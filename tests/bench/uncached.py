"""The site without its page cache: what the cache saves is measured against it."""

from __future__ import annotations

from wsgi import app

cache = app.extensions["page_cache"]
cache.rendered = cache.render
