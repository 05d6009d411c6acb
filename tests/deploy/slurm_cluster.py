"""A Slurm cluster of one node on this machine: munged, slurmctld and slurmd in a temporary folder, on free ports."""

import contextlib
import os
import secrets
import socket
import subprocess

from ci_servers import free_port
from monitoring_programs import PATH, installed, running, wait_until

PACKAGES = "slurmd slurmctld slurm-client munge"
REQUIREMENT = "HOUNSFIELD_REQUIRE_SLURM"
# A node has as many processors as Slurm is told.
PROCESSORS = 2
UNFINISHED = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED", "SUSPENDED"}

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
# A job that is put back into the queue waits for as long: 120 s by default, or where less than 5 is said.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={processors} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP MaxTime=INFINITE
"""


class Cluster:
    """What runs, and the commands of its users."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, command, *arguments, **variables):
        """What a command of Slurm printed."""
        environment = os.environ | {"PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf")} | variables
        words = [command, *(str(argument) for argument in arguments)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def states(self, job):
        """The state of each task of an array, by its number; as long as Slurm remembers them."""
        told = self.run("scontrol", "--oneliner", "show", "job", job).splitlines()
        tasks = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in told]
        return {task["ArrayTaskId"]: task["JobState"] for task in tasks}


@contextlib.contextmanager
def cluster(folder):
    """A cluster whose node takes jobs."""
    munged, slurmctld, slurmd = (
        installed(name, PACKAGES, REQUIREMENT) for name in ("munged", "slurmctld", "slurmd")
    )  # fmt: skip
    installed("sbatch", PACKAGES, REQUIREMENT)
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    # Its sockets and its key may lie below /tmp.
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            folder=folder, host=socket.gethostname().split(".")[0], user=os.environ.get("USER") or user(),
            controller_port=free_port(), node_port=free_port(), processors=PROCESSORS,
        ),
        encoding="utf-8",
    )  # fmt: skip
    made = Cluster(folder)
    munge = [
        munged, "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}",
        f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed",
    ]  # fmt: skip
    with contextlib.ExitStack() as started:

        def start(command, ready):
            log = folder / f"{command[0].rsplit('/', 1)[-1]}.log"
            environment = os.environ | {"SLURM_CONF": str(configuration)}
            started.enter_context(running(command, log, ready, env=environment))

        start(munge, (folder / "munge.socket").exists)
        start([slurmctld, "-D", "-f", configuration], lambda: answers(made))
        start([slurmd, "-D", "-f", configuration, "-N", "node"], lambda: is_idle(made))
        yield made


def user():
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def answers(made):
    try:
        return "UP" in made.run("scontrol", "ping")
    except AssertionError:
        return False


def is_idle(made):
    return made.run("sinfo", "--noheader", "--format=%T") == "idle"


def ended(made, job, tasks, seconds):
    """Waits until all tasks of an array have ended, and returns their states."""

    def all_ended():
        states = made.states(job)
        return states if len(states) == tasks and not set(states.values()) & UNFINISHED else None

    return wait_until(all_ended, lambda: f"the array did not end: {made.states(job)}", seconds)
