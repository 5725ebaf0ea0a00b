"""How many processes run side by side where nobody says: one a core this process may use."""

import os


def cores() -> int:
    """Cores this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
