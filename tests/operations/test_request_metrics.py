"""Request metrics: few label values, and no label that depends on an answer."""

from __future__ import annotations

import pytest

from tests.support.processes import python


@pytest.fixture(scope="module")
def labels():
    """Return the label of each request, computed in a process of its own because the library counts per process."""
    code = (
        "from tests.support.bare_site import site; from screening.operations.metrics.requests import LabelResolver; import sys; "
        "places = LabelResolver(site(('visitor', 'staff')))\n"
        "for line in sys.argv[1:]: p = places.of(*line.split()); print(p.surface, p.group, p.steady)"
    )

    def labels_of(*requests):
        done = python("-c", code, *requests)
        assert done.returncode == 0, done.stderr
        return dict(zip(requests, done.stdout.splitlines(), strict=True))

    return labels_of


def test_requests_are_grouped_by_the_first_path_segment(labels):
    assert labels(*EXPECTED) == EXPECTED


EXPECTED = {
    "GET /": "visitor start True",
    "GET /about": "visitor about True",
    "POST /consultation/review": "visitor consultation True",
    "GET /static/visitor.css": "visitor static True",
    "GET /zentinela": "visitor unknown True",
    "GET /staff": "staff start True",
    "GET /staff/callbacks/0123": "staff callbacks True",
    "POST /staff/zentinela": "staff unknown True",
    # the walk, under one name
    "GET /check/sadness": "visitor walk True",
    "GET /check/hopelessness": "visitor walk True",
    "GET /summary": "visitor walk True",
    "GET /help-now": "visitor walk True",
    "GET /check/review": "visitor walk True",
    # pages that not every visitor opens
    "POST /check/sadness": "visitor walk False",
    "POST /check/hopelessness": "visitor walk False",
    "GET /check/pain_duration": "visitor walk False",
    "GET /check/pain_average": "visitor walk False",
    "GET /check/age": "visitor walk False",
    "POST /check/age": "visitor walk False",
    "POST /leave": "visitor walk False",
}
