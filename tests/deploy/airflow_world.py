"""A study with all that is around it: an MLflow server, Airflow, and somebody's mails."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from airflow_runs import Airflow, airflow_python, smtp_server
from airflow_study import environment, fresh_scans, make_study
from built_programs import programs
from hounsfield_dags.study import Study
from mlflow_server import MlflowServer


@dataclass
class World:
    """What the tests share."""

    study: Study
    airflow: Airflow
    mlflow: str
    # Which the study has not.
    scans: dict[str, list[Path]]

    def retrain(self, person, conf=None):
        """Runs the DAG to its end, against the server of this person."""
        connection = {"conn_type": "http", "host": person.address, "password": person.key}
        settings = {
            "AIRFLOW_CONN_HOUNSFIELD_SERVER": json.dumps(connection),
            "AIRFLOW_VAR_HOUNSFIELD_STUDY": str(self.study.folder),
        }
        return self.airflow.run("hounsfield_retrain", conf, **settings)


@contextlib.contextmanager
def small_world(folder, make=make_study, fresh=60, meanwhile=lambda _: None):
    """A study that `make` makes. `meanwhile` is what happens to it while Airflow starts, which takes long."""
    python = airflow_python()
    (folder / "mlflow").mkdir(parents=True)
    programs()
    with ThreadPoolExecutor() as pool, contextlib.ExitStack() as stack:
        # The slowest server starts while the study is made.
        starting = pool.submit(MlflowServer, folder / "mlflow")
        stack.callback(lambda: starting.result().stop())
        postbox = stack.enter_context(smtp_server(folder / "smtp"))
        study = make(folder / "lungs")
        happening = pool.submit(meanwhile, study)
        scans = fresh_scans(study, folder / "scans", fresh)
        address = starting.result().address
        surroundings = environment(address) | {"AIRFLOW_VAR_HOUNSFIELD_STUDY": str(study)}
        airflow = Airflow(folder / "home", postbox, python, surroundings)
        stack.callback(airflow.stop)
        happening.result()
        yield World(Study(study), airflow, address, scans)
