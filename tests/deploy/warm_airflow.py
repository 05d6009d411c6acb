"""Runs `airflow` commands one after the other in one process, since Airflow takes longer to start than most of the DAGs
to run. It is run by Airflow's Python. Each line that it reads is a command, as JSON: its arguments, variables of the
environment for it alone, and the file that takes what it prints. It answers each with the exit code.
"""

import json
import os
import sys

from airflow.__main__ import main

answers = os.fdopen(os.dup(1), "w")
surroundings = dict(os.environ)
for line in sys.stdin:
    command = json.loads(line)
    log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(surroundings | command["environment"])
    sys.argv = ["airflow", *command["arguments"]]
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        print(ended.code)
    sys.stdout.flush()
    print(code, file=answers, flush=True)
