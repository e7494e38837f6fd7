"""Starting processes so that none of them can outlive the run.

Three nets, from the usual to the unusual:
1. a normal end kills every child's process group and then every process that carries this run's mark;
2. the kernel kills each direct child when this program dies (PR_SET_PDEATHSIG);
3. a guard process, told of this program's death by a closed pipe, kills what carries the mark: grandchildren too.
The mark is the variable STACK_DIR, which every process of a run inherits and whose value no other run has.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import guard
from .common import Problem, tail

MARK = guard.MARK
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Child:
    """A process of the run, in a session of its own: Ctrl-C in the terminal reaches only this program."""

    def __init__(self, name, argv, environment, folder=None, log=None, foreground=False):
        self.name = name
        self.log = log
        self.started = time.monotonic()
        output = open(log, "ab") if log else None
        try:
            self.process = subprocess.Popen(
                list(map(str, argv)),
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL if log else None,
                stdout=output,
                stderr=output,
                # A session of its own has no terminal, so a shell to type into only gets its own process group.
                start_new_session=not foreground,
                process_group=0 if foreground else None,
                preexec_fn=lambda parent=os.getpid(): die_with(parent),
            )
        except OSError as error:
            raise Problem(f"cannot start {argv[0]}: {error.strerror}") from error
        finally:
            if output:
                output.close()

    @property
    def pid(self):
        return self.process.pid

    def wait(self, timeout=None):
        return self.process.wait(timeout)

    def ended(self):
        return self.process.poll() is not None

    def signal_group(self, signum):
        try:
            os.killpg(self.pid, signum)
        except ProcessLookupError:
            pass

    def until_ready(self, is_ready, seconds=120):
        """Waits for `is_ready()`; says with the end of the log why it never came. Returns the seconds it took."""
        while not is_ready():
            if self.ended():
                raise Problem(f"{self.name} ended with status {self.process.returncode} while starting; "
                              f"the end of {self.log}:\n{tail(self.log)}")
            if time.monotonic() - self.started > seconds:
                raise Problem(f"{self.name} was not ready after {seconds} s; the end of {self.log}:\n{tail(self.log)}")
            time.sleep(0.05)
        return time.monotonic() - self.started


def die_with(parent):
    """In the child, before its program starts. Killed with `parent`, also when that happened a moment ago."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


class Guard:
    """Runs guard.py while the run lasts; its standard input closes when this program ends, however it ends."""

    def __init__(self, run_folder):
        self.run_folder = run_folder
        # Without the mark of a run around this one: that run's end must not kill the guard of this one.
        environment = {key: value for key, value in os.environ.items() if key != MARK}
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-P", str(Path(guard.__file__)), str(run_folder)],
            env=environment, stdin=subprocess.PIPE, start_new_session=True,
        )

    def stop_all(self):
        """Kills every process of the run at once: nothing in them is worth an orderly shutdown."""
        guard.kill_marked(self.run_folder)
        self.process.stdin.close()
        collect_children()


def collect_children():
    """Waits for every child, the guard last, so that none is left behind as a zombie."""
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
