"""Every command of every page of the handbook runs as written, in a checkout of its own."""

from __future__ import annotations

import pytest

from tests.support.handbook import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_succeeds(checkout, page):
    checkout.run(page)
