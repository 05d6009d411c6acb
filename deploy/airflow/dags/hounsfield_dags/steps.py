"""Steps that both DAGs have, and what is the same for all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Connection, Variable

from hounsfield_dags import mail
from hounsfield_dags.server import Server
from hounsfield_dags.study import REGISTERED, Study

STUDY = "{{ var.value.hounsfield_study }}"
# `register` ends with it when the model does not pass the gate.
NOT_PROMOTED = 3

# What it prints is kept in the study, because a task that is skipped hands nothing on.
REGISTER = f"""\
mkdir -p artifacts/airflow
hounsfield register --json >{REGISTERED}
code=$?
cat {REGISTERED}
exit $code"""


def in_study(task_id: str, command: str, **settings: Any) -> BashOperator:
    """A command in the study's folder, with the environment of the worker."""
    return BashOperator(task_id=task_id, bash_command=command, cwd=STUDY, **settings)


def register() -> BashOperator:
    """Registers the model; the gate decides whether it becomes the champion. Skipped if it does not."""
    return in_study("register", REGISTER, skip_on_exit_code=NOT_PROMOTED)


def study() -> Study:
    """The study that the variable names."""
    return Study(Variable.get("hounsfield_study"))


def server() -> Server:
    """The prediction server that the connection names."""
    return Server.of_connection(Connection.get("hounsfield_server"))


def send(message: mail.Mail) -> None:
    """Sends a mail by the connection `smtp_default`."""
    with SmtpHook() as smtp:
        smtp.send_email_smtp(to=Variable.get("hounsfield_mail_to"), subject=message.subject, html_content=message.html)


def mail_failure(context: Any) -> None:
    """Sends a mail about a task that failed."""
    ti = context["ti"]
    reason = context.get("exception") or "Airflow knows no error: the task's process was ended, or could not begin."
    place = Variable.get("hounsfield_study", default="the variable hounsfield_study is not set")
    send(mail.of_failure(ti.dag_id, ti.task_id, str(reason), place, ti.log_url))


# Of the task and not of the DAG: a notifier of the DAG fails in `airflow dags test` of Airflow 3.3. A limit of time for
# each task and not for the run: when the time of a run is up, its tasks are skipped, and nobody is called.
DEFAULTS: dict[str, Any] = {"execution_timeout": timedelta(days=1), "on_failure_callback": mail_failure}
