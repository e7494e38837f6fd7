"""Kills every process of a run after the program that started them is gone.

Usage: guard.py RUN_FOLDER, with standard input held open by the program to outlive.
"""

import os
import signal
import sys
import time

MARK = "STACK_DIR"


def kill_marked(run_folder, seconds=10):
    """Kills whatever has the run's mark in its environment, until nothing has it any more."""
    mark = f"{MARK}={run_folder}".encode()
    deadline = time.monotonic() + seconds
    while (pids := marked(mark)) and time.monotonic() < deadline:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)


def marked(mark):
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if mark in environment(pid)]


def environment(pid):
    """The variables a process started with; none for one that is gone, dead but not waited for, or someone else's."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read()
    kill_marked(sys.argv[1])
