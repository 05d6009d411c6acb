"""Turns trials into the table: the comparisons, and the target of each row."""

import statistics
from collections.abc import Callable
from functools import partial

from measure import NotMeasured
from rows import Measured, TableRow, missing

PEERS = {"peer_flask": "Flask + Keras, Flask's own server", "peer_waitress": "Flask + Keras, waitress"}


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def mb(bytes_: float) -> str:
    return f"{bytes_ / 1e6:.0f} MB"


def total(measured: Measured, name: str, key: str) -> int:
    """Over all rounds: a median could hide a failure in one of them."""
    count: int = sum(run.figures[key] for run in measured.of(name))
    return count


def ratio_of(measured: Measured, name: str, key: str, base: str, base_name: str = "") -> float:
    """The median over rounds of `key` over `base`: figures are compared within their round. With `base_name`, `base` is
    of that measurement."""
    pairs = zip(measured.of(name), measured.of(base_name or name), strict=False)
    ratio: float = statistics.median(run.figures[key] / other.figures[base] for run, other in pairs)
    return ratio


def alone_rows(measured: Measured) -> list[TableRow]:
    rows = []
    for peer, title in PEERS.items():
        for key, percent in (("p50_s", "p50"), ("p95_s", "p95")):
            rows.append(alone_row(measured, peer, f"{percent} of one request at a time, against {title}", key))
    cores = measured.figure("alone", "client_cores")
    rows.append(
        TableRow(
            "alone", "the load generator's own share meanwhile", f"{cores:.2f} cores", rounds=measured.count("alone")
        )
    )
    return rows


def alone_row(measured: Measured, peer: str, title: str, key: str) -> TableRow:
    ours = measured.figure("alone", key)
    try:
        theirs = measured.figure(peer, key)
    except NotMeasured as reason:
        return TableRow("alone", title, ms(ours), f"not measured: {reason}", target=0.5, at_most=True)
    return TableRow(
        "alone",
        title,
        ms(ours),
        ms(theirs),
        ratio_of(measured, "alone", key, key, peer),
        target=0.5,
        at_most=True,
        rounds=measured.count("alone"),
    )


def saturation_rows(measured: Measured) -> list[TableRow]:
    ours = measured.figure("saturation", "accepted_per_s")
    rounds = measured.count("saturation")
    cores = measured.figure("saturation", "client_cores")
    title = f"throughput under {measured.figure('saturation', 'clients'):.0f} clients, over offline batches"
    failed = total(measured, "saturation", "failed") + total(measured, "saturation", "refused")
    try:
        offline = measured.figure("offline", "images_per_s")
        first = TableRow(
            "saturation",
            title,
            f"{ours:.2f} images/s",
            f"{offline:.2f} images/s",
            ratio_of(measured, "saturation", "accepted_per_s", "images_per_s", "offline"),
            target=0.85,
            rounds=rounds,
        )
    except NotMeasured as reason:
        first = TableRow("saturation", title, f"{ours:.2f} images/s", f"not measured: {reason}", target=0.85)
    return [
        first,
        TableRow(
            "saturation",
            "requests without a prediction meanwhile",
            f"{failed}",
            ratio=failed,
            unit="",
            target=0,
            at_most=True,
            rounds=rounds,
        ),
        TableRow("saturation", "the load generator's own share meanwhile", f"{cores:.2f} cores", rounds=rounds),
    ]


def overload_rows(measured: Measured) -> list[TableRow]:
    rounds = measured.count("overload")

    def figure(key: str) -> float:
        return measured.figure("overload", key)

    per_s, failed = figure("per_s"), total(measured, "overload", "failed")
    not_sent = total(measured, "overload", "not_sent")
    requests = total(measured, "overload", "requests")
    reasons = {reason: count for run in measured.of("overload") for reason, count in run.figures["failures"].items()}

    row = partial(TableRow, "overload", rounds=rounds)

    return [
        row(
            "p99 of accepted requests, over p99 at saturation",
            ms(figure("p99_s")),
            ms(figure("saturated_p99_s")),
            ratio_of(measured, "overload", "p99_s", "saturated_p99_s"),
            target=2.0,
            at_most=True,
        ),
        row(
            f"the same over p99 with as many clients as the queue has places ({figure('places'):.0f})",
            ms(figure("p99_s")),
            ms(figure("queued_p99_s")),
            ratio_of(measured, "overload", "p99_s", "queued_p99_s"),
        ),
        row(
            f"share of 429, of {per_s:.0f} requests/s that should arrive",
            f"{figure('refused_share'):.1%}, {figure('accepted_per_s'):.2f} accepted/s",
        ),
        row(
            f"failures, of {requests} requests" + (f": {reasons}" if reasons else ""),
            f"{failed}",
            ratio=failed,
            unit="",
            target=0,
            at_most=True,
        ),
        row("arrivals that the load generator could not send", f"{not_sent}"),
        row(
            f"memory after, over memory before (at most {mb(figure('resident_peak_bytes'))})",
            mb(figure("resident_after_bytes")),
            mb(figure("resident_before_bytes")),
            ratio_of(measured, "overload", "resident_after_bytes", "resident_before_bytes"),
            target=1.1,
            at_most=True,
        ),
        row(
            "the load generator's own share meanwhile, and the server's",
            f"{figure('client_cores'):.2f} cores",
            f"{figure('server_cores'):.2f} cores",
        ),
    ]


def start_rows(measured: Measured) -> list[TableRow]:
    ready_s = measured.figure("start", "ready_s")
    return [
        TableRow(
            "start",
            f"start to ready, with a model of {mb(measured.figure('start', 'model_bytes'))}",
            f"{ready_s:.2f} s",
            ratio=ready_s,
            unit="s",
            target=1.5,
            at_most=True,
            rounds=measured.count("start"),
        )
    ]


def idle_rows(measured: Measured) -> list[TableRow]:
    rounds = measured.count("idle")

    def figure(key: str) -> float:
        return measured.figure("idle", key)

    opened, failed = figure("opened"), total(measured, "idle", "failed")

    row = partial(TableRow, "idle", rounds=rounds)

    return [
        row(
            f"p50 beside {opened:.0f} idle connections ({figure('accepted_connections'):.0f} accepted, "
            f"{figure('open_at_end'):.0f} open at the end), against none",
            ms(figure("p50_s")),
            ms(figure("alone_p50_s")),
            ratio_of(measured, "idle", "p50_s", "alone_p50_s"),
        ),
        row("requests without a prediction meanwhile", f"{failed}", ratio=failed, unit="", target=0, at_most=True),
        row(
            "most memory beside them, against before", mb(figure("resident_bytes")), mb(figure("resident_before_bytes"))
        ),
    ]


def swap_rows(measured: Measured) -> list[TableRow]:
    rounds = measured.count("swap")
    swaps, lost = total(measured, "swap", "swaps"), total(measured, "swap", "lost")
    requests, mixed = total(measured, "swap", "requests"), total(measured, "swap", "mixed")
    told_apart = total(measured, "swap", "told_apart")

    row = partial(TableRow, "swap", rounds=rounds)

    rows = [
        row(
            f"requests lost in {swaps} swaps under load, of {requests}",
            f"{lost}",
            ratio=lost,
            unit="",
            target=0,
            at_most=True,
        )
    ]
    if measured.of("swap")[0].figures["models"] == 2:
        rows.append(
            row(
                f"answers of another model than they say, of {told_apart} that could tell",
                f"{mixed}",
                ratio=mixed,
                unit="",
                target=0,
                at_most=True,
            )
        )
    else:
        rows.append(row("answers of another model than they say", "not measured: it takes a --second-model"))
    rows.append(
        row(
            "a swap, from asking for it to its answer; p50 and the longest",
            f"{measured.figure('swap', 'swap_p50_s'):.2f} s",
            f"{max(run.figures['swap_longest_s'] for run in measured.of('swap')):.2f} s",
        )
    )
    return rows


GROUPS: dict[str, Callable[[Measured], list[TableRow]]] = {
    "start": start_rows,
    "alone": alone_rows,
    "saturation": saturation_rows,
    "overload": overload_rows,
    "idle": idle_rows,
    "swap": swap_rows,
}


def table(measured: Measured, groups: set[str]) -> list[TableRow]:
    rows: list[TableRow] = []
    for group, make in GROUPS.items():
        if group not in groups:
            continue
        try:
            rows += make(measured)
        except NotMeasured as reason:
            rows.append(missing(group, group, reason))
    return rows
