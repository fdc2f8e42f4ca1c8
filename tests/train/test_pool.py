"""What a worker of the pool is started with."""

import json
import os
import subprocess
import sys

from setpoint.train.engines.pool import cores_shared

#: Imports all that training a unit imports, and tells of each native library how many threads it would take.
THREADS = """
import json
import polars, sklearn.linear_model
from setpoint.train.boosters import BOOSTERS, booster
from threadpoolctl import threadpool_info
for name in BOOSTERS:
    booster(name)
found = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
print(json.dumps(found | {"polars": polars.thread_pool_size()}))
"""


def test_no_library_takes_a_core_that_the_plan_did_not_give_it():
    """Each of two processes on two cores would let BLAS wait for both: every pool of threads is held down."""
    before = dict(os.environ)
    with cores_shared(1):
        told = subprocess.run([sys.executable, "-c", THREADS], check=True, capture_output=True, text=True)
    found = json.loads(told.stdout)

    assert len(found) > 3
    assert set(found.values()) == {1}
    assert dict(os.environ) == before
