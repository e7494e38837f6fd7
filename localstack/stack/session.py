"""`run` and `shell`: everything started, the command run, everything stopped."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

from . import kafka
from .aws import LocalStack
from .common import RUNS, VENV_PYTHON, Interrupted, Problem, say
from .processes import MARK, Child, Guard

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 20


def run(name, command):
    if not shutil.which(command[0]):
        raise Problem(f"there is no command '{command[0]}'")
    return session(name, lambda environment: Child("command", command, environment))


def shell():
    program = os.environ.get("SHELL") or "/bin/sh"
    return session("shell", lambda environment: interactive(program, environment))


def session(name, start_command):
    folder = new_folder(name)
    succeeded = False
    with signals_raise():
        guard = Guard(folder)
        try:
            services, variables = start_services(folder)
            status = exit_status(wait_for(start_command(command_environment(variables))))
            succeeded = status == 0
            if not succeeded:
                say("command", f"ended with status {status}")
                tell_of_ended(services)
            return status
        finally:
            for signum in STOPPING:
                signal.signal(signum, signal.SIG_IGN)  # nothing interrupts the clearing up
            give_terminal_back()
            guard.stop_all()
            if succeeded:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                say("kept", f"data and logs are in {folder}")


def new_folder(name):
    """A folder no earlier run has used: a process number may come again, and the folder's name marks processes."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for again in range(1000):
        folder = RUNS / (f"{name}-{os.getpid()}" + (f"-{again}" if again else ""))
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
    raise RuntimeError(f"{RUNS} is full of folders of earlier runs; remove some")


def start_services(folder):
    """Both start side by side; LocalStack comes up while Kafka's storage is formatted."""
    localstack = LocalStack(folder)
    broker = kafka.start(folder)
    localstack.until_ready()
    outputs = localstack.deploy()
    broker.until_ready()
    variables = {
        "OKTA_OCSF_STACK": "1",
        **localstack.client_variables(),
        **outputs,
        **broker.variables(),
        MARK: str(folder),
        "STACK_KAFKA_PID": str(broker.child.pid),
        "STACK_PYTHON": str(VENV_PYTHON),
    }
    return [localstack.child, broker.child], variables


def command_environment(variables):
    """The user's environment, without AWS or Kafka settings that could lead a test out of this machine."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "KAFKA_", "STACK_"))}
    local = "127.0.0.1,localhost"
    for key in ("NO_PROXY", "no_proxy"):
        kept[key] = f"{kept[key]},{local}" if kept.get(key) else local
    return {**kept, **variables}


def wait_for(child):
    """Waits for the command. When asked to stop, asks the command, and after a while does not ask any more."""
    try:
        return child.wait()
    except Interrupted:
        say("stopping", f"the command has {GRACE_SECONDS} s to end")
        child.signal_group(signal.SIGINT)
    try:
        return child.wait(GRACE_SECONDS)
    except (subprocess.TimeoutExpired, Interrupted):
        say("stopping", "killing the command")
        child.signal_group(signal.SIGKILL)
        return child.wait()


def exit_status(code):
    """As a shell tells it: 128 and the signal's number for a command ended by a signal."""
    return code if code >= 0 else 128 - code


def tell_of_ended(services):
    for child in services:
        if child.ended():
            say(child.name, f"had ended before, with status {child.process.returncode}; see {child.log}")


@contextmanager
def signals_raise():
    """Turns the usual ways of asking a program to stop into an exception."""
    def handler(signum, _frame):
        raise Interrupted(signum)

    before = {signum: signal.signal(signum, handler) for signum in STOPPING}
    try:
        yield
    finally:
        for signum, old in before.items():
            signal.signal(signum, old)


# A shell to type into


def interactive(program, environment):
    names = sorted(key for key in environment if key.startswith(("AWS_", "KAFKA_", "STACK_", "OKTA_OCSF_")))
    for key in names:
        print(f"  {key}={environment[key]}")
    print(f"{os.path.basename(program)}: leave it to stop everything", flush=True)
    child = Child("shell", [program], environment, foreground=True)
    set_foreground(child.pid)
    return child


def give_terminal_back():
    set_foreground(os.getpgrp())


def set_foreground(group):
    """Makes a process group the one that the terminal's keys reach. Asking from the background raises SIGTTOU."""
    if not sys.stdin.isatty():
        return
    old = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(sys.stdin.fileno(), group)
    except OSError:
        pass  # the group is gone, or this is not the terminal that started us
    finally:
        signal.signal(signal.SIGTTOU, old)
