"""The prediction server compared with the usual one: `bench/server.py` runs it."""
