"""A node in a control group with the limits of its unit: it survives clients that occupy its threads."""

from __future__ import annotations

import http.client
import os

import pytest

from tests.support.cgroups import ControlGroup, limits_of_the_web_unit
from tests.support.live_server import LiveServer
from tests.support.slow_clients import MISSING_FORM, SlowClients

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can limit tasks and memory")

CLIENTS = 300
"""More than both worker processes accept forms of at once."""


def occupy(server: LiveServer, tasks: int, memory: int) -> tuple[int | None, tuple[int, int]]:
    """Occupy the threads of a node with these limits; return the status of crisis help, and the peak use.

    None stands for no answer.
    """
    with (
        ControlGroup(tasks, memory) as group,
        server.in_group(group),
        SlowClients(server, CLIENTS, MISSING_FORM, addresses=20),
    ):
        asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        try:
            asked.request("GET", "/help-now")
            return asked.getresponse().status, group.peak()
        except OSError:
            return None, group.peak()
        finally:
            asked.close()


def test_node_answers_under_slow_forms_within_its_units_limits(tmp_path):
    server = LiveServer(tmp_path, "--workers", "2")
    tasks, memory = limits_of_the_web_unit()
    status, (most_tasks, most_memory) = occupy(server, tasks, memory)
    assert status == 200
    assert 128 < most_tasks < tasks and most_memory < memory
    assert "panicked" not in server.log.read_text()


def test_limit_of_128_tasks_ends_a_node(tmp_path):
    """The control: the clients of the test above do reach a limit that is too small."""
    server = LiveServer(tmp_path, "--workers", "2")
    occupy(server, 128, 2**30)
    assert "failed to spawn thread" in server.log.read_text()
