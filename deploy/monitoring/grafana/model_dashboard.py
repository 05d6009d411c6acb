"""The dashboard of the model: which version answers, what it predicts, whether the scans have drifted."""

from panels import (
    GREEN,
    ORANGE,
    RED,
    Json,
    Query,
    Row,
    dashboard,
    metric,
    rate,
    share,
    stat,
    steps,
    table,
    time_series,
    with_limit,
)

# What the server compares with its calibration, and what a person calls it.
SIGNALS = {
    "feature_distance": (
        "Drift: distance of features",
        "How differently far from the training images the scans are, in the model's own features.",
    ),
    "grey_distance": (
        "Drift: distance of grey values",
        "How differently the grey histograms of the scans resemble those of the training images.",
    ),
    "class_shares": ("Drift: shares of classes", "How much the shares of the predicted classes differ."),
    "confidence": ("Drift: confidence", "How much the confidence of the predictions differs."),
}

VERSIONS = Row(
    "Model",
    (
        table(
            "Served versions",
            "Which model each server answers with. All servers of an environment should have the same digest.",
            metric("model"),
            {
                "environment": "Environment",
                "instance": "Server",
                "name": "Model",
                "version": "Version",
                "digest": "Digest",
            },
        ),
        stat(
            "Champion",
            "Whether every server answers with the version that the registry calls champion (serve.follow).",
            "none",
            f"min({metric('champion_served')})",
            steps((1, GREEN), below=RED),
            words={"0": ("not served", RED), "1": ("served", GREEN)},
            absent="no server follows",
        ),
        stat(
            "Registry reached",
            "How long ago the server that is worst off last reached the registry. The alert begins at 5 minutes.",
            "s",
            f"max(time() - {metric('champion_checked_timestamp_seconds')})",
            steps((60, ORANGE), (300, RED)),
            absent="no server follows",
        ),
        stat(
            "Model since",
            "How long ago a server last took another model.",
            "s",
            f"min(time() - {metric('model_loaded_timestamp_seconds')})",
            steps(),
        ),
        time_series(
            "Changes of the model",
            "Models that took the place of another: a promotion, a reload or a rollback.",
            "none",
            "changes in an hour",
            Query(f"increase({metric('model_swaps_total')}[1h])", "{{instance}}"),
        ),
    ),
    height=7,
)

PREDICTIONS = Row(
    "Predictions",
    (
        time_series(
            "Predictions by class",
            "Images that the model has processed, with those that are rejected.",
            "none",
            "images a second",
            Query(f"sum by (class) ({rate('predictions_total')})", "{{class}}"),
            stacked=True,
        ),
        time_series(
            "Shares of the classes",
            "The same as shares: a sudden change means other scans, or another model.",
            "percentunit",
            "share of the images",
            Query(
                f"sum by (class) ({rate('predictions_total')}) "
                f"/ on () group_left () (sum({rate('predictions_total')}) > 0)",
                "{{class}}",
            ),
            stacked=True,
            most=1,
        ),
        time_series(
            "Rejected images",
            "Share of the images that are out-of-distribution. 2 % are usual: each of two checks rejects 1 %.",
            "percentunit",
            "share of the images",
            Query(share(rate("predictions_total", 'accepted="false"'), rate("predictions_total")), "rejected"),
        ),
    ),
)


def drift_of(signal: str, title: str, description: str) -> Json:
    """A signal's statistic on each server, and its limit."""
    chosen = f'signal="{signal}"'
    return with_limit(
        time_series(
            title,
            f"{description} The last window of scans compared with the calibration: 0 is no difference, and 0 until "
            "a window was compared. Above the dashed limit chance does not explain it, and an alert fires.",
            "none",
            "statistic, 0 to 1",
            Query(metric("drift_statistic", chosen), "{{instance}}"),
            Query(f"min({metric('drift_limit', chosen)})", "limit"),
        )
    )


DRIFT = Row(
    "Drift: the last window of scans compared with the calibration",
    tuple(drift_of(signal, *words) for signal, words in SIGNALS.items()),
)

DUE = Row(
    "Alarms and corrections",
    (
        time_series(
            "Alarms of drift",
            "1: the last window of scans differs in this signal by more than chance explains.",
            "none",
            "1 alarm, 0 none",
            Query(f"max by (signal) ({metric('drift_alarm')})", "{{signal}}"),
            most=1,
        ),
        time_series(
            "Scans compared",
            "Images in the last window that was compared with the calibration; 0 until one was (serve.drift).",
            "none",
            "images",
            Query(metric("drift_window_images"), "{{instance}}"),
        ),
        with_limit(
            time_series(
                "Corrections",
                "Corrections with an image since the last training. A training is due above the dashed limit.",
                "none",
                "corrections",
                Query(f"max by (environment) ({metric('corrections_waiting')})", "{{environment}}"),
                Query(f"min({metric('corrections_due_above')})", "limit"),
            )
        ),
    ),
)


def model_dashboard() -> Json:
    return dashboard(
        "hounsfield-model",
        "Hounsfield: model and drift",
        "What the model answers, and whether the scans still look like those it was calibrated on. "
        "Research use only. Not a medical device.",
        (VERSIONS, PREDICTIONS, DRIFT, DUE),
    )
