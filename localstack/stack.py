#!/usr/bin/env python3
"""The outside world on one machine: LocalStack for AWS and Apache Kafka, without Docker.

    python3 localstack/stack.py setup              once; quick when there is nothing to do
    python3 localstack/stack.py run -- cargo test  both started, the command run, everything stopped
    python3 localstack/stack.py shell              the same with your shell, to look around

Needs Linux and Python 3.11 or later; uses the standard library only.
"""

import argparse
import re
import sys

sys.dont_write_bytecode = True  # leaves no __pycache__ in the source tree

if sys.version_info < (3, 11) or not sys.platform.startswith("linux"):
    sys.exit("stack.py: needs Linux and Python 3.11 or later")

from stack import session, setup  # noqa: E402 (the version is checked first)
from stack.common import Interrupted, Problem  # noqa: E402

EPILOG = """\
variables given to COMMAND:
  OKTA_OCSF_STACK=1                         says that the stack is there
  AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_DEFAULT_REGION
  STACK_ACCOUNT_ID                          the account
  STACK_EVENT_BUS, STACK_RULE               the bus to put Okta events on, and the rule that leads to the queue
  STACK_QUEUE_URL, STACK_DLQ_URL            the queue and its dead-letter queue
  KAFKA_KIND                                apache, or mock (librdkafka's mock cluster)
  KAFKA_BROKERS                             without TLS, without login
  KAFKA_TLS_BROKERS, KAFKA_CA_FILE          with TLS and SCRAM-SHA-512, PLAIN or OAUTHBEARER
  KAFKA_USER, KAFKA_PASSWORD                (these four only when KAFKA_KIND=apache)
  STACK_KAFKA_PID                           to stop and continue the broker (SIGSTOP, SIGCONT)
  STACK_DIR                                 folder of this run: data and logs
  STACK_PYTHON                              a Python that has boto3

variables read:
  OKTA_OCSF_KAFKA=apache|mock               choose; unset: apache where Java is, otherwise mock
"""


def main():
    # Cut here and not by argparse, whose versions differ in what they do with a second "--" in the command.
    own, dashes, command = split_at_dashes(sys.argv[1:])
    commands = parser()
    options = commands.parse_args(own)
    if options.takes_command and not command:
        commands.error("run needs a command after --, for example: stack.py run -- cargo test")
    if dashes and not options.takes_command:
        commands.error("only run takes a command")
    options.command = command
    try:
        return options.action(options)
    except Problem as problem:
        print(f"stack.py: {problem}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        return 128 + interrupted.signum
    except KeyboardInterrupt:
        return 130


def split_at_dashes(arguments):
    if "--" not in arguments:
        return arguments, False, []
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1:]


def parser():
    top = argparse.ArgumentParser(
        prog="stack.py",
        description="LocalStack (AWS) and Apache Kafka on this machine, without Docker, for tests and exploring.",
        epilog="'stack.py COMMAND --help' tells more.",
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    one = commands.add_parser(
        "setup",
        help="install what the stack needs (once; quick when done)",
        description="Checks the tools, then installs LocalStack into .local/venv and Kafka into .local/kafka. "
        "Missing Debian packages are installed when run as root; otherwise the command to install them is shown.",
    )
    one.set_defaults(takes_command=False, action=lambda options: setup.setup())

    one = commands.add_parser(
        "run",
        usage="stack.py run [-h] [--name NAME] -- COMMAND [ARGUMENT ...]",
        help="start everything, run a command, stop everything",
        description="Starts LocalStack and Kafka on free ports, deploys infra/cloudformation/okta-ocsf.yaml, runs "
        "COMMAND and stops everything, whatever happens. The exit status is the command's. Data and logs are in "
        ".local/run/NAME-PID, which stays when the command fails.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--name", type=folder_name, default="run", help="first part of the run folder's name (default: run)")
    one.set_defaults(takes_command=True, action=lambda options: session.run(options.name, options.command))

    one = commands.add_parser(
        "shell",
        help="start everything and open your shell",
        description="Like run, with $SHELL; prints the variables first. Leaving the shell stops everything.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.set_defaults(takes_command=False, action=lambda options: session.shell())
    return top


def folder_name(text):
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", text) or text.startswith("."):
        raise argparse.ArgumentTypeError("use letters, digits, '-', '_' and '.', at most 60, not starting with '.'")
    return text


if __name__ == "__main__":
    sys.exit(main())
