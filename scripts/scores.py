"""Prints the scores that evaluate wrote, one class a line: scripts/scores.py FILE"""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    scores = json.load(file)

rows = [*scores["classes"].items(), ("macro average", scores["macro"])]
width = max(len(name) for name, _ in rows)
columns = ("precision", "recall", "f1", "support")
print(" " * width, *(f"{column:>9}" for column in columns))
for name, values in rows:
    cells = (values.get(column, scores["images"]) for column in columns)
    print(f"{name:{width}}", *(f"{cell:9.4f}" if isinstance(cell, float) else f"{cell:9}" for cell in cells))
print(f"\naccuracy {scores['accuracy']:.4f}, loss {scores['loss']:.4f}, on {scores['images']} test images")
print("Research use only. Not a medical device.")
