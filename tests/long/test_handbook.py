"""Every command of every page of the handbook runs as written, in a checkout of its own."""

from __future__ import annotations

import pytest

from tests.support.handbook import PAGES, blocks

RUN = [page for page in PAGES if any(block.fence == "sh" for block in blocks(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_every_command_of_a_page_succeeds(checkout, page):
    checkout.run(page)
