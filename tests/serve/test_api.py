"""The description of the API against the server: schemathesis makes requests from it, right and wrong ones."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("role", [None, "predict"])
def test_every_answer_is_one_that_the_description_allows(serve, made, role):
    limits = {"requests_per_minute": 0}
    key, entry = made.key(role) if role else (None, None)
    server, _ = serve(limits=limits, keys=[entry]) if role else serve(limits=limits)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"{server.url}/openapi.json",
            "--phases",
            "coverage,fuzzing,stateful",
            "--max-examples",
            "20",
            "--generation-deterministic",
            # Random bytes match the description of an image, but are not images.
            "--exclude-checks",
            "positive_data_acceptance",
            *(["--header", f"Authorization: Bearer {key}"] if key else []),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    selected, tested = (int(re.search(rf"{word}: +(\d+)", done.stdout)[1]) for word in ["Selected", "Tested"])
    assert selected == tested > 20, done.stdout
