"""A folder in which the stages run on a few images."""

import json
import subprocess

from small_models import CLASSES, params


class Pipeline:
    """A folder in which the stages run, with its own configuration."""

    def __init__(self, programs, folder, head, data):
        self.programs = programs
        self.folder = folder
        config = {
            "data": {
                "source": {"kind": "sample"},
                "classes": {name: [name] for name in CLASSES},
            },
            "paths": {
                "data_ingestion": str(data / "data_ingestion"),
                "data_validation": str(data / "data_validation"),
            },
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        (folder / "params.yaml").write_text(json.dumps(params(head)), encoding="utf-8")

    def run(self, program, *arguments, code=0):
        """What the program printed; where it should fail, what it logged."""
        command = [self.programs / program, *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{program} ended with {done.returncode}:\n{done.stderr}"
        return done.stderr if code else done.stdout
