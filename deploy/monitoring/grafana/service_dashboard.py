"""The dashboard of the service: is it there, how fast is it, what does it refuse."""

from panels import (
    CHOSEN,
    GREEN,
    ORANGE,
    RED,
    Json,
    Query,
    Row,
    dashboard,
    heatmap,
    metric,
    quantile,
    rate,
    share,
    stat,
    steps,
    table,
    time_series,
)

PREDICTIONS = 'route=~"/predict|/v1/predict"'
FROM_CLIENTS = 'route!~"/healthz|/readyz|/metrics"'

NOW = Row(
    "Now",
    (
        stat(
            "Servers up",
            "Servers that Prometheus reaches.",
            "none",
            f'sum(up{{job="hounsfield", {CHOSEN}}})',
            steps((1, GREEN), below=RED),
        ),
        stat(
            "Predictions",
            "Requests for predictions, with those that are refused.",
            "reqps",
            f"sum({rate('requests_total', PREDICTIONS)})",
            steps(),
        ),
        stat(
            "Latency, 95 %",
            "One request for a prediction in twenty takes longer. The alert HounsfieldSlow begins at 2.5 s.",
            "s",
            quantile(0.95, "request_duration_seconds", PREDICTIONS),
            steps((1, ORANGE), (2.5, RED)),
            absent="no requests",
        ),
        stat(
            "Refused",
            "Share of the requests for predictions that get 429, because the queue or a key's share of it is full. "
            "The alert begins at 5 %.",
            "percentunit",
            share(rate("requests_total", PREDICTIONS, 'status="429"'), rate("requests_total", PREDICTIONS)),
            steps((0.01, ORANGE), (0.05, RED)),
            absent="no requests",
        ),
        stat(
            "Failed",
            "Share of the requests of clients that get a server error. The alert begins at 5 %.",
            "percentunit",
            share(rate("requests_total", FROM_CLIENTS, 'status=~"5.."'), rate("requests_total", FROM_CLIENTS)),
            steps((0.01, ORANGE), (0.05, RED)),
            absent="no requests",
        ),
        stat(
            "Queue in use",
            "The fullest queue: accepted requests for predictions, as a share of serve.queue_requests.",
            "percentunit",
            f"max({metric('queue_requests')} / {metric('queue_requests_limit')})",
            steps((0.5, ORANGE), (0.8, RED)),
        ),
        stat(
            "Records",
            "Whether every server can write to its database.",
            "none",
            f"min({metric('store_up')})",
            steps((1, GREEN), below=RED),
            words={"0": ("down", RED), "1": ("up", GREEN)},
        ),
        stat(
            "Alerts firing",
            "Alerts that fire.",
            "none",
            'sum(ALERTS{alertname=~"Hounsfield.*", alertstate="firing"}) or vector(0)',
            steps((1, RED)),
        ),
    ),
    height=4,
)

REQUESTS = Row(
    "Requests",
    (
        time_series(
            "Requests by status",
            "Answered requests of clients. 429 is a full queue, 422 an image that is rejected or not usable.",
            "reqps",
            "requests a second",
            Query(f"sum by (status) ({rate('requests_total', FROM_CLIENTS)})", "{{status}}"),
            stacked=True,
        ),
        time_series(
            "Latency of predictions",
            "From the head of a request to the head of its answer.",
            "s",
            "seconds",
            Query(quantile(0.5, "request_duration_seconds", PREDICTIONS), "50 %"),
            Query(quantile(0.95, "request_duration_seconds", PREDICTIONS), "95 %"),
            Query(quantile(0.99, "request_duration_seconds", PREDICTIONS), "99 %"),
        ),
        heatmap(
            "Latency of predictions, all of them",
            "Each cell: how many requests took this long. Refusals are the quick ones.",
            "s",
            "seconds",
            f"sum by (le) (increase({metric('request_duration_seconds_bucket', PREDICTIONS)}[$__rate_interval]))",
        ),
    ),
)

LOAD = Row(
    "Where the time goes",
    (
        time_series(
            "Steps of a prediction, 95 %",
            "decode: from the file to pixels. wait: for the model. inference: in the model.",
            "s",
            "seconds",
            Query(quantile(0.95, "prediction_step_seconds", by="step"), "{{step}}"),
        ),
        time_series(
            "Queue",
            "Accepted requests for predictions, and the most that a server accepts. Above it clients get 429.",
            "none",
            "requests",
            Query(metric("queue_requests"), "{{instance}}"),
            Query(f"min({metric('queue_requests_limit')})", "limit of a server"),
        ),
        time_series(
            "Images in the model",
            "Images that wait for the model or are in it. The chart's autoscaler can follow this.",
            "none",
            "images",
            Query(metric("queue_images"), "{{instance}}"),
        ),
        time_series(
            "Batches",
            "Mean number of images in one pass of the model. More is quicker for each of them.",
            "none",
            "images in a batch",
            Query(
                f"sum by (instance) ({rate('batch_images_sum')}) / sum by (instance) ({rate('batch_images_count')})",
                "{{instance}}",
            ),
        ),
    ),
)

STATE = Row(
    "Records and alerts",
    (
        time_series(
            "Database",
            "1: the server can write its records. 0: it cannot.",
            "none",
            "1 up, 0 down",
            Query(metric("store_up"), "{{instance}}"),
            most=1,
        ),
        time_series(
            "Predictions without a record",
            "Answered while the database was away, as serve.store: best_effort allows. Corrections are "
            "refused meanwhile.",
            "none",
            "predictions a minute",
            Query(f"60 * {rate('predictions_not_stored_total')}", "{{instance}}"),
        ),
        time_series(
            "Requests in progress",
            "Requests of every kind that a server is answering.",
            "none",
            "requests",
            Query(metric("requests_in_flight"), "{{instance}}"),
        ),
        table(
            "Alerts, firing and pending",
            "Alerts that fire, and those that will if it goes on (pending). None: all is well.",
            'ALERTS{alertname=~"Hounsfield.*"}',
            {
                "alertname": "Alert",
                "alertstate": "State",
                "severity": "Severity",
                "environment": "Environment",
                "instance": "Server",
                "signal": "Signal",
            },
        ),
    ),
)


def service_dashboard() -> Json:
    return dashboard(
        "hounsfield-service",
        "Hounsfield: service",
        "The prediction servers. Research use only. Not a medical device.",
        (NOW, REQUESTS, LOAD, STATE),
    )
