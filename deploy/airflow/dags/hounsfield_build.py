"""Builds a study from its scans to a registered model, one stage after the other, and mails how it went.

The stages run with DVC: what has not changed is not run again.
"""

from __future__ import annotations

import logging

from airflow.sdk import dag, task

from hounsfield_dags import mail, steps

LOG = logging.getLogger(__name__)


@dag(dag_id="hounsfield_build", schedule=None, max_active_runs=1, default_args=steps.DEFAULTS, doc_md=__doc__)
def build() -> None:
    """The tasks, and their order."""
    check_configuration = steps.in_study("check_configuration", "hounsfield ingest --check")

    @task
    def check_source() -> None:
        LOG.info("found %s", steps.study().check_source())

    ingest = steps.in_study("ingest", "dvc repro ingest")
    validate = steps.in_study("validate", "dvc repro validate && cat artifacts/data_validation/class_counts.csv")
    train = steps.in_study("train", "dvc repro calibrate")
    evaluate = steps.in_study("evaluate", "dvc repro")
    register = steps.register()

    @task(task_id="mail", trigger_rule="none_failed")
    def send_mail() -> None:
        steps.send(mail.of_build(steps.study()))

    check_configuration >> check_source() >> ingest >> validate >> train >> evaluate >> register >> send_mail()


build()
