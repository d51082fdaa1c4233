"""Who listens, as the kernel tells it. Needs Linux; knows neither worker nor host."""

import os
from pathlib import Path

LISTENS, BOUND = "0A", "07"
"""States in /proc/net: a TCP socket that listens, a UDP socket that anybody may send to."""


def listening(pid: int) -> list[str]:
    """Sockets of a process that wait for others, as the kernel tells them."""
    own = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:  # closed by now
            continue
        if target.startswith("socket:["):
            own.add(target[8:-1])
    found = []
    for name, state in (("tcp", LISTENS), ("tcp6", LISTENS), ("udp", BOUND), ("udp6", BOUND)):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in own and fields[3] == state:
                found.append(f"{name} {fields[1]}")
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in own and int(fields[3], 16) & 0x10000:
            found.append(f"unix {fields[7:]}")
    return found
