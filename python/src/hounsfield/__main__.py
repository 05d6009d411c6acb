"""The command `hounsfield`: becomes the program of that name in this package."""

import os
import sys

from ._tool import environment, tool
from .errors import Error


def main() -> None:
    """Never returns: signals and the exit code are the program's."""
    try:
        path = tool()
        os.execve(path, ["hounsfield", *sys.argv[1:]], environment())
    except (Error, OSError) as error:
        print(f"hounsfield: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
