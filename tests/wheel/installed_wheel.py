"""A virtual environment with the wheel, in a folder that is as unfriendly as a home folder may be."""

import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
UNFRIENDLY = "Jörg's Ordner (größer)"


class Installed:
    """A virtual environment with the wheel, a home folder, and commands that run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / "venv"
        self.home = folder / "home"
        self.home.mkdir(parents=True)

    def environment(self, **changes):
        """Nothing of this machine's own that could help."""
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        return (
            kept
            | {
                "PATH": f"{self.venv / 'bin'}:/usr/bin:/bin",
                "HOME": str(self.home),
                "PYTHONDONTWRITEBYTECODE": "1",
                "GIT_AUTHOR_NAME": "Test",
                "GIT_AUTHOR_EMAIL": "test@localhost",
                "GIT_COMMITTER_NAME": "Test",
                "GIT_COMMITTER_EMAIL": "test@localhost",
            }
            | changes
        )

    def run(self, program, *arguments, code=0, cwd=None, **changes):
        """Runs a command of the environment; what it prints, and what it logs."""
        done = subprocess.run(
            [self.venv / "bin" / program, *arguments],
            cwd=cwd or self.folder,
            env=self.environment(**changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{program} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    @property
    def packages(self):
        [folder] = self.venv.glob("lib/python3.*/site-packages")
        return folder

    def link_torch(self):
        """The libtorch of the source tree, as if pip had installed torch."""
        torch = (PROJECT / ".venv" / "libtorch").resolve()
        for name in ("torch", "nvidia"):
            (self.packages / name).symlink_to(torch.parent / name)

    def unlink_torch(self):
        for name in ("torch", "nvidia"):
            (self.packages / name).unlink(missing_ok=True)
