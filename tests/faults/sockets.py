"""Who listens, as the kernel tells it. Needs Linux; knows neither worker nor host."""

import os
from pathlib import Path

from tests.faults.held_process import running

LISTENS, BOUND = "0A", "07"
"""States in /proc/net: a TCP socket that listens, a UDP socket that anybody may send to."""


def family(root: int) -> list[int]:
    """A process and all that it has started, and they have; zombies do not count."""
    children: dict[int, list[int]] = {}
    for pid, status in running():
        children.setdefault(int(status[1]), []).append(pid)
    found = [root]
    for pid in found:  # which grows meanwhile
        found += children.get(pid, ())
    return found


def listening(pid: int) -> list[str]:
    """Sockets of a process that wait for others; of one that has just ended none."""
    own, found = set(), []
    try:
        for entry in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{entry}")
            except FileNotFoundError:  # closed by now
                continue
            if target.startswith("socket:["):
                own.add(target[8:-1])
        for name, state in (("tcp", LISTENS), ("tcp6", LISTENS), ("udp", BOUND), ("udp6", BOUND)):
            for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[9] in own and fields[3] == state:
                    found.append(f"{name} {fields[1]}")
        for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[6] in own and int(fields[3], 16) & 0x10000:
                found.append(f"unix {fields[7:]}")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return found
