"""Dry runs in quick succession: a process of its own imports Snakemake once and forks for each."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Planner:
    """Asks what Snakemake would run in ``folder``, which holds a project's data and results."""

    def __init__(self, folder: Path, targets: Sequence[str], root: Path = ROOT) -> None:
        self.folder, self.targets, self.root = folder, list(targets), root
        environment = os.environ | {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{ROOT}"}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._messages = _messages(root)

    def output(self, config: Path) -> str:
        """What ``snakemake -n -p`` prints under a configuration file.

        Raises:
            AssertionError: if it fails.
        """
        log = self.folder / "plan.log"
        arguments = ["--snakefile", str(self.root / "Snakefile"), "--directory", str(self.folder)]
        arguments += ["--configfile", str(config), "-n", "-p", *self.targets]
        self._process.stdin.write(json.dumps({"arguments": arguments, "log": str(log)}) + "\n")
        self._process.stdin.flush()
        status, text = int(self._process.stdout.readline()), log.read_text()
        assert status == 0, text
        return text

    def jobs(self, config: Path) -> set[str]:
        """Jobs that would run, named as in ``leaves``; the parts of a sharded stage count once."""
        found = set()
        for line in re.findall(r"^Job \d+: (.*)$", self.output(config), re.MULTILINE):
            found.add(next(name for rule, pattern in self._messages if (name := _job_name(rule, pattern, line))))
        return found

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def _job_name(rule: str, pattern: re.Pattern[str], line: str) -> str | None:
    match = pattern.fullmatch(line)
    if match is None:
        return None
    wildcards = match.groupdict()
    return ":".join([rule, *(wildcards[name] for name in ("dataset", "domain", "run", "split") if name in wildcards)])


def _messages(root: Path) -> list[tuple[str, re.Pattern[str]]]:
    """Each rule and the pattern of its message, with a group for each wildcard."""
    text = "\n".join(path.read_text() for path in sorted((root / "rules").glob("*.smk")))
    found = re.findall(r'^rule (\w+):.*?message:\s+"(.*?)"$', text, re.MULTILINE | re.DOTALL)
    wildcard = r"\\{wildcards\\.(\w+)\\}"
    return [(rule, re.compile(re.sub(wildcard, r"(?P<\1>[^ ]+?)", re.escape(words)))) for rule, words in found]


def _serve() -> None:
    from snakemake.cli import main

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            with open(request["log"], "w") as log:  # noqa: PTH123
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
                main(request["arguments"])  # exits
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
