"""Which machine this is."""

import socket
from pathlib import Path

__all__ = ["machine_id"]


def machine_id() -> str:
    """The machine's own id, or its name where it has none."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            return path.read_text(encoding="ascii").strip()
        except OSError:
            continue
    return socket.gethostname()
