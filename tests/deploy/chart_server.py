"""`serve` with the configuration that the chart writes, at other places."""

import contextlib
import os
import subprocess

from built_programs import programs
from chart import of_kind, rendered
from ci_servers import STARTED_IN_SECONDS


def configuration(folder, files, settings=()):
    """The chart's config.yaml in a folder, in which it has what a pod has under /var/lib/hounsfield."""
    text = of_kind(rendered(files, settings), "ConfigMap")["data"]["config.yaml"]
    assert "/var/lib/hounsfield/serve" in text
    (folder / "config.yaml").write_text(text.replace("/var/lib/hounsfield", str(folder)), encoding="utf-8")
    return folder / "config.yaml"


@contextlib.contextmanager
def served(config, *arguments, **environment):
    """The address of the server."""
    command = [
        programs() / "serve",
        "--config",
        config,
        "--address",
        "127.0.0.1:0",
        "--log",
        "json",
        *arguments,
    ]
    log = config.with_name("log")
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=config.parent, env=os.environ | environment, stdout=subprocess.PIPE, stderr=file, text=True
        )
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), log.read_text(encoding="utf-8")
        yield line.removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.wait(STARTED_IN_SECONDS)
        process.stdout.close()
