"""Processes that outlive this program, known by pid and start time.

A pid alone may be someone else's after a reboot.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .shell import Failed, Words, environment
from .wait import until

# On a machine that tests keep busy a starved API server looks like one that is away: leases are lost.
CONTROL_PLANE = frozenset(
    {"etcd", "apiserver", "controller-manager", "scheduler", "kubelet", "proxy", "coredns", "forward"}
)
AHEAD = -5


@dataclass(frozen=True)
class Daemon:
    """One long-running process of a cluster: its pid file and its log."""

    name: str
    state: Path

    @property
    def pid_file(self) -> Path:
        """Holds `pid starttime`, the latter in clock ticks since boot."""
        return self.state / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """Standard output and error, appended."""
        return self.state / "logs" / f"{self.name}.log"

    def pid(self) -> int | None:
        """The pid if the very process that was started is still alive."""
        try:
            pid, started = self.pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if start_time(int(pid)) == started else None

    def is_gone(self) -> bool:
        """Whether it is not alive."""
        return self.pid() is None

    def start(self, words: Words) -> None:
        """Start it in its own session unless it is alive; idempotent."""
        if self.pid() is not None:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        first = ("nice", "-n", str(AHEAD)) if self.name in CONTROL_PLANE and os.geteuid() == 0 else ()
        argv = [*first, *(str(w) for w in words)]
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self.log), append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        pid = os.posix_spawnp(argv[0], argv, environment(), file_actions=files, setsid=True)
        self.pid_file.write_text(f"{pid} {start_time(pid)}\n")

    def ask_to_stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal if it is alive; return at once."""
        if (pid := self.pid()) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, how)

    def forget(self) -> None:
        """Remove the pid file of a process that is gone, and its entry in the kernel if it was our child."""
        with suppress(OSError, ValueError):
            os.waitpid(int(self.pid_file.read_text().split()[0]), os.WNOHANG)
        self.pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else "(no log)"


def stop(daemons: Iterable[Daemon], seconds: float = 20) -> None:
    """Ask all to stop, wait for each, and kill what does not listen.

    Raises:
        Failed: a process survived SIGKILL.
    """
    daemons = tuple(daemons)
    for daemon in daemons:
        daemon.ask_to_stop()
    for daemon in daemons:
        try:
            until(daemon.is_gone, f"the end of {daemon.name}", seconds, pause=0.05)
        except Failed:
            daemon.ask_to_stop(signal.SIGKILL)
            until(daemon.is_gone, f"the death of {daemon.name}", 5)
        daemon.forget()


def start_time(pid: int) -> str | None:
    """Clock ticks from boot to the start of a living process; None for a dead one or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(") ")[2].split()  # the name before it may hold spaces and brackets
    return None if fields[0] in {"Z", "X"} else fields[19]
