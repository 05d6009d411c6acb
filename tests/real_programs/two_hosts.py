"""Two hosts on this machine, as network namespaces with a cable between them."""

import contextlib
import os
import signal
import subprocess

import pytest

ADDRESSES = ["10.213.7.1", "10.213.7.2"]
NETWORK = "10.213.7.0/24"


class Hosts:
    """Their names, and the cable."""

    def __init__(self, folder):
        self.names = [f"hf{os.getpid()}{end}" for end in "ab"]
        self.ends = [f"v{os.getpid()}{end}" for end in "ab"]
        self.agent = folder / "agent.sh"
        self.agent.write_text(
            f'#!/bin/sh\n# Called as ssh is: the host, then what to run there.\nshift\nexec {self.at(1)} sh -c "$*"\n',
            encoding="utf-8",
        )
        self.agent.chmod(0o755)

    def at(self, host):
        """The start of a command line that runs on one of them."""
        return f"nsenter --net=/run/netns/{self.names[host]}"

    def arguments(self):
        """Of `mpirun` on the first, for processes on both."""
        options = {
            "plm_rsh_agent": str(self.agent), "btl": "tcp,self", "btl_tcp_if_include": NETWORK,
            "oob_tcp_if_include": NETWORK, "oob_tcp_keepalive_time": 5, "oob_tcp_keepalive_intvl": 2,
            "oob_tcp_keepalive_probes": 2,
        }  # fmt: skip
        words = ["--bind-to", "none", "--host", ",".join(ADDRESSES)]
        for name, value in options.items():
            words += ["--mca", name, str(value)]
        for variable in ["LD_LIBRARY_PATH", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"]:
            words += ["-x", variable]
        return words

    def cable(self, state):
        """Pulls the cable (`down`) or puts it back (`up`)."""
        ip("-n", self.names[0], "link", "set", self.ends[0], state)

    def clear(self):
        """Kills what still runs on them."""
        for name in self.names:
            for pid in ip("netns", "pids", name).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def two_hosts(folder):
    """The hosts, until the end of the block."""
    hosts = Hosts(folder)
    try:
        for name in hosts.names:
            ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")
    try:
        (a, b), (end_a, end_b) = hosts.names, hosts.ends
        ip("link", "add", end_a, "netns", a, "type", "veth", "peer", "name", end_b, "netns", b)
        for name, end, address in zip(hosts.names, hosts.ends, ADDRESSES, strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield hosts
    finally:
        hosts.clear()
        for name in hosts.names:
            ip("netns", "delete", name)
