"""A real Slurm on one machine: a controller, a CPU node and two GPU nodes (whose GPUs are character devices).

    python tests/cluster/cluster.py start FOLDER     # prints what to set in the shell
    python tests/cluster/cluster.py stop FOLDER

Needs root and Debian's packages slurmctld, slurmd, slurm-client, munge, and gcc.
"""

import argparse
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

HERE = Path(__file__).parent
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "gcc")
CPU_NODE, GPU_NODES = "c1", ("g1", "g2")
# Set in every job's environment by the task prolog; SLURM_* would not do: Snakemake takes them from what it starts.
MARK = "BISMAP_CLUSTER_NODE"
MUTE = "mute"  # while a file of this name is there, squeue knows of no job
DEVICES = {"g1": "/dev/null", "g2": "/dev/zero"}  # what stands for a card

SLURM_CONF = """\
ClusterName=bismap
SlurmctldHost={host}
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldParameters=enable_configless
SlurmdParameters=config_overrides
SlurmdTimeout=15
KillWait=20
MinJobAge=3600
ReturnToService=2
SchedulerParameters=sched_interval=2,sched_min_interval=500000,batch_sched_delay=0,defer
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog={folder}/bin/mark
MpiDefault=none
GresTypes=gpu
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName={cpu_node} NodeHostname={host} NodeAddr=127.0.0.1 Port={cpu_port} CPUs=8 RealMemory=64000
{gpu_nodes}
PartitionName=cpu Nodes={cpu_node} Default=YES MaxTime=INFINITE
PartitionName=gpu Nodes={gpus} MaxTime=INFINITE
"""
GPU_NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=16 RealMemory=64000 Gres=gpu:1"


class Cluster:
    """The cluster in a folder; ``environment`` points Slurm's commands to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    @property
    def records(self) -> list[dict[str, str]]:
        """Slurm's own record of each job of the last hour: JobId, JobState, Partition, NodeList and more."""
        lines = self.command("scontrol", "--oneliner", "show", "jobs").splitlines()
        return [dict(item.split("=", 1) for item in line.split() if "=" in item) for line in lines]

    def start(self) -> None:
        """Start all daemons and wait until every node is idle.

        Raises:
            RuntimeError: if something that it needs is missing, or a node does not come up.
        """
        missing = [name for name in NEEDED if shutil.which(name, path=self.environment["PATH"]) is None]
        if missing:
            raise RuntimeError(
                f"not installed: {', '.join(missing)} (apt install slurmctld slurmd slurm-client munge gcc)"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._configure()
            self._munge()
            self._run("slurmctld")
            for name in (CPU_NODE, *GPU_NODES):
                self.start_node(name)
            self._wait_until_idle()
        except BaseException:
            self.stop()
            raise

    def start_node(self, name: str) -> None:
        """Start the daemon of one node."""
        gpu = {"LD_PRELOAD": str(self.folder / "gres.so"), "BISMAP_GRES": "gpu:1"} if name in GPU_NODES else {}
        (self.folder / f"spool-{name}").mkdir(exist_ok=True)
        self._run("slurmd", "-N", name, environment=gpu)

    def kill_node(self, name: str) -> None:
        """Let a node die: its daemon and all its jobs, at once."""
        daemon = int((self.folder / f"slurmd-{name}.pid").read_text())
        os.kill(daemon, signal.SIGKILL)
        self._kill_jobs(name)

    @contextmanager
    def frozen(self, command: str) -> Iterator[None]:
        """The processes of a command stand still in their jobs meanwhile; Slurm wakes them where it ends a job."""
        words, processes = command.split(), []
        for process in itertools.chain.from_iterable(map(self._of_node, (CPU_NODE, *GPU_NODES))):
            with suppress(psutil.NoSuchProcess):
                if process.cmdline()[: len(words)] == words:
                    process.suspend()
                    processes.append(process)
        try:
            yield
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextmanager
    def mute(self) -> Iterator[None]:
        """Slurm answers no question about jobs meanwhile."""
        file = self.folder / MUTE
        file.touch()
        try:
            yield
        finally:
            file.unlink()

    def stop(self) -> None:
        """Stop all daemons, and what is left of their jobs."""
        for name in (CPU_NODE, *GPU_NODES):
            self._kill_jobs(name)
        for pid_file in self.folder.glob("*.pid"):
            with suppress(ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGKILL)
            pid_file.unlink(missing_ok=True)

    def __enter__(self) -> "Cluster":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def command(self, *arguments: str) -> str:
        """Output of one of Slurm's commands."""
        environment = os.environ | self.environment
        return subprocess.run(arguments, env=environment, text=True, capture_output=True, check=True).stdout

    def _configure(self) -> None:
        host, ports = socket.gethostname(), _free_ports(4)
        nodes = [
            GPU_NODE.format(name=name, host=host, port=port) for name, port in zip(GPU_NODES, ports[2:], strict=True)
        ]
        text = SLURM_CONF.format(
            host=host, folder=self.folder, port=ports[0], cpu_node=CPU_NODE, cpu_port=ports[1],
            gpu_nodes="\n".join(nodes), gpus=",".join(GPU_NODES),
        )  # fmt: skip
        (self.folder / "slurm.conf").write_text(text)
        gres = [f"NodeName={name} Name=gpu File={device}" for name, device in DEVICES.items()]
        (self.folder / "gres.conf").write_text("\n".join(gres) + "\n")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        (self.folder / "state").mkdir(exist_ok=True)
        # Snakemake takes SLURM_CONF away from what it starts in a job; on a real cluster the file has a fixed place.
        self._script("srun", f'SLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"')
        self._script("squeue", f'[ -e {self.folder}/{MUTE} ] || exec {shutil.which("squeue")} "$@"')
        self._script("mark", f'echo "export {MARK}={self.folder}:$SLURMD_NODENAME"')
        build = ["gcc", "-shared", "-fPIC", "-o", str(self.folder / "gres.so"), str(HERE / "gres.c"), "-ldl"]
        subprocess.run(build, check=True)

    def _script(self, name: str, command: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{command}\n")
        path.chmod(0o755)

    def _munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = {name: self.folder / f"munge.{name}" for name in ("socket", "log", "seed", "pid")}
        self._run(
            "munged", "--force", f"--key-file={key}", f"--socket={files['socket']}", f"--log-file={files['log']}",
            f"--seed-file={files['seed']}", f"--pid-file={files['pid']}",
        )  # fmt: skip

    def _run(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        everything = os.environ | self.environment | (environment or {})
        done = subprocess.run(command, env=everything, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")

    def _wait_until_idle(self, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(subprocess.CalledProcessError):  # the controller may not answer yet
                if set(self.command("sinfo", "--noheader", "--Node", "--format=%T").split()) == {"idle"}:
                    return
            time.sleep(0.5)
        raise RuntimeError(f"the nodes do not come up:\n{self.command('sinfo', '--Node', '--long')}")

    def _kill_jobs(self, name: str) -> None:
        for process in self._of_node(name):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _of_node(self, name: str) -> list[psutil.Process]:
        """Processes of a node's jobs, after those that watch over them and would report their end."""
        mark = f"{self.folder}:{name}"
        jobs = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(MARK) == mark:
                    jobs.append(process)
        watchers = set()
        for process in jobs:
            with suppress(psutil.Error):
                watchers |= {parent for parent in process.parents() if parent.name() == "slurmstepd"}
        return [*watchers, *jobs]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for item in sockets:
        item.bind(("127.0.0.1", 0))
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("start", "stop"))
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    cluster = Cluster(args.folder)
    if args.action == "stop":
        cluster.stop()
        return
    cluster.start()
    print(*(f"export {name}='{value}'" for name, value in cluster.environment.items()), sep="\n")


if __name__ == "__main__":
    main()
