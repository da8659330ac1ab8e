"""A node in a control group with the limits of its unit: it survives clients that occupy its threads."""

from __future__ import annotations

import http.client
import os
from contextlib import closing

import pytest

from tests.support.cgroups import ControlGroup, limits_of_the_web_unit
from tests.support.live_server import LiveServer
from tests.support.slow_clients import MISSING_FORM, SlowClients

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can limit tasks and memory")

CLIENTS = 300
"""More than both worker processes accept forms of at once."""


def test_node_answers_under_slow_forms_within_its_units_limits(tmp_path):
    """It starts more threads than the 128 tasks that were once allowed; ``tests/long/test_hostile_clients.py`` has the control."""
    server = LiveServer(tmp_path, "--workers", "2")
    tasks, memory = limits_of_the_web_unit()
    with ControlGroup(tasks, memory) as group, server.in_group(group):
        with SlowClients(server, CLIENTS, MISSING_FORM, addresses=20):
            asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            with closing(asked):
                asked.request("GET", "/help-now")
                assert asked.getresponse().status == 200
        most_tasks, most_memory = group.peak()
        assert server.process.poll() is None, server.log.read_text()
    assert 128 < most_tasks < tasks and most_memory < memory
