"""Moves ``time.time`` of a Python process by ``TEST_TIME_SHIFT`` seconds; Python imports this module at startup."""

import os
import time

_machine_time, _shift = time.time, float(os.environ.get("TEST_TIME_SHIFT", "0"))
time.time = lambda: _machine_time() + _shift
