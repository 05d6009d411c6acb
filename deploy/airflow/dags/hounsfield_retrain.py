"""Trains a study again when people have corrected the server often enough, and deploys what passes the gate.

| task | what it does |
|---|---|
| `enough_corrections` | ends the run unless more corrections wait than `serve.retrain_after`, or `corrections_above` |
| `fetch_corrections` | brings their images over the server's API into the study's folder of corrections |
| `repro` | `dvc repro` |
| `register` | the gate; a model that does not pass it becomes the challenger, and the task is skipped |
| `remember` | these corrections wait no longer, here and on the server |
| `deployed` | waits until the server, which follows the alias `champion`, answers with the new model |
| `mail` | promoted or not, and why |
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import Param, dag, task

from hounsfield_dags import corrections, mail, steps

LOG = logging.getLogger(__name__)
CORRECTIONS_ABOVE = Param(
    None,
    type=["null", "integer"],
    minimum=0,
    description="Train when more corrections than this wait. Empty: serve.retrain_after of the server.",
)
DEPLOYED_WITHIN_SECONDS = Param(600, type="integer", minimum=1, description="How long a server may take to follow.")


@dag(
    dag_id="hounsfield_retrain",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args=steps.DEFAULTS,
    params={"corrections_above": CORRECTIONS_ABOVE, "deployed_within_seconds": DEPLOYED_WITHIN_SECONDS},
    doc_md=__doc__,
)
def retrain() -> None:
    """The tasks, and their order."""

    @task.short_circuit
    def enough_corrections(params: dict[str, Any]) -> bool:
        server = steps.server()
        above = params["corrections_above"]
        above = server.retrain_after() if above is None else above
        waiting = len(corrections.waiting(steps.study(), server))
        LOG.info("%d corrections wait; a training begins above %d", waiting, above)
        return waiting > above

    @task
    def fetch_corrections() -> None:
        fetched = corrections.fetch(steps.study(), steps.server())
        LOG.info("%d corrections are new, %d were withdrawn, %d are there", fetched.new, fetched.removed, fetched.all)

    repro = steps.in_study("repro", "dvc repro")
    register = steps.register()

    @task(trigger_rule="none_failed")
    def remember() -> None:
        corrections.remember(steps.study(), steps.server())

    @task
    def deployed(params: dict[str, Any]) -> str:
        server = steps.server()
        server.wait_until_it_serves(steps.study().weights(), params["deployed_within_seconds"])
        return server.address

    @task(task_id="mail", trigger_rule="none_failed")
    def send_mail(served_by: str | None) -> None:
        steps.send(mail.of_retraining(steps.study(), served_by))

    served_by = deployed()
    enough_corrections() >> fetch_corrections() >> repro >> register >> [remember(), served_by] >> send_mail(served_by)


retrain()
