"""The site without its page cache, to measure the effect of the cache."""

from __future__ import annotations

from wsgi import app

cache = app.extensions["page_cache"]
cache.rendered = cache.render
