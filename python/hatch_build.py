"""Gives the wheel its tag: it holds programs for one platform, and no module for one Python."""

import platform
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PlatformTag(BuildHookInterface[Any]):
    """The plainest tag of this machine. auditwheel then gives the wheel the one that it proves."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Called by hatchling before it collects the files."""
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform.system().lower()}_{platform.machine()}"
