"""Processor time of a run, read from /proc: of the system that is measured, of its store, and of the whole machine."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _parents():
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _stat(entry.name)
            if stat:
                parents[int(entry.name)] = int(stat[1])
    return parents


def _stat(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name is in brackets and may contain spaces.
    return text.rpartition(")")[2].split()


def _family(roots):
    """These processes and their descendants."""
    parents, family = _parents(), set(roots)
    while True:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        if not more:
            return family
        family |= more


def _ticks(roots):
    """User and system time of these processes, with their children that have ended."""
    stats = [_stat(pid) for pid in _family(roots)]
    return sum(int(stat[field]) for stat in stats if stat for field in (11, 12, 13, 14))


class Usage:
    """What has been used since this was created."""

    def __init__(self, **groups):
        self.groups = groups
        self.began, self.before, self.busy = time.monotonic(), self._now(), machine_busy()

    def _now(self):
        return {name: _ticks(roots) for name, roots in self.groups.items()}

    def shares(self):
        """Shares of a core, by group; `others` is what no group used."""
        seconds, now = time.monotonic() - self.began, self._now()
        shares = {name: (now[name] - self.before[name]) / TICKS / seconds for name in self.groups}
        busy = (machine_busy() - self.busy) / TICKS / seconds
        shares["others"] = max(0.0, busy - sum(shares.values()))
        return {name: round(share, 2) for name, share in shares.items()}


def machine_busy():
    """Time that the processors of the machine were not idle, in ticks."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = (int(word) for word in words[:7])
    return user + nice + system + irq + softirq


def machine():
    """The machine in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = {line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")}
    return f"{os.cpu_count()} cores ({', '.join(sorted(names)) or 'unknown'}), Linux {os.uname().release}"
