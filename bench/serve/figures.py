"""Computes percentiles, rates and shares of the measurements."""

import math
import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` % of them do not exceed: the nearest rank, so that it is always a
    measured value."""
    if not values:
        raise ValueError("no values, so no percentile of them")
    if not 0.0 < percent <= 100.0:
        raise ValueError(f"a percentile of {percent} %; expected more than 0, at most 100")
    rank = math.ceil(len(values) * percent / 100.0)
    return sorted(values)[rank - 1]


def latency_figures(latencies_s: Sequence[float]) -> dict[str, float]:
    """The reported figures of latencies, in seconds."""
    return {
        "p50_s": percentile(latencies_s, 50),
        "p95_s": percentile(latencies_s, 95),
        "p99_s": percentile(latencies_s, 99),
        "mean_s": statistics.fmean(latencies_s),
        "longest_s": max(latencies_s),
    }


def rate_of_two_sizes(fewer: int, fewer_s: float, more: int, more_s: float) -> float:
    """Items a second between a short run and a long one: their common start cancels out."""
    if more <= fewer or more_s <= fewer_s:
        raise ValueError(f"{more} items in {more_s:.2f} s after {fewer} in {fewer_s:.2f} s tell no rate")
    return (more - fewer) / (more_s - fewer_s)


def share(part: float, whole: float) -> float:
    """`part` of `whole`; 0 if `whole` is 0."""
    return part / whole if whole else 0.0
