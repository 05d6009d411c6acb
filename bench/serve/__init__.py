"""The prediction server beside the usual one: `bench/server.py` runs it."""
