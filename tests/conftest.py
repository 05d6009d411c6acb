"""Real servers that tests of several folders start: their modules are found by plain names."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "real_servers"))
