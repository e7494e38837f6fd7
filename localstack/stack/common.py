"""Places on disk, messages, and the two exceptions that end a run early."""

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "localstack"
TEMPLATE = ROOT / "infra" / "cloudformation" / "okta-ocsf.yaml"

LOCAL = ROOT / ".local"
VENV = LOCAL / "venv"
VENV_PYTHON = VENV / "bin" / "python"
KAFKA_LIBS = LOCAL / "kafka" / "libs"
RUNS = LOCAL / "run"
# LocalStack's plugin loader (plux) keeps an index of entry points in the user's cache folder, and an index made
# while an import failed hides the plugins for ever. Inside the virtual environment it lives and dies with it.
CACHE = VENV / "cache"

REQUIREMENTS = SOURCE / "requirements.txt"
KAFKA_POM = SOURCE / "kafka" / "pom.xml"

SETUP_HINT = "run: python3 localstack/stack.py setup"


class Problem(Exception):
    """Something the person at the keyboard can mend; the text says what, where and how."""


class Interrupted(BaseException):
    """A signal asked this program to stop. Not an Exception, so that no handler swallows it by accident."""

    def __init__(self, signum):
        super().__init__(signum)
        self.signum = signum


def say(what, text):
    """One aligned progress line, on standard error: standard output belongs to the command."""
    print(f"{what:<11} {text}", file=sys.stderr, flush=True)


def tail(path, lines=25):
    """The last lines of a log file, indented, for an error message."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return "    (no output)"
    last = text.rstrip().splitlines()[-lines:]
    return "\n".join("    " + line for line in last) or "    (no output)"


class Stamp:
    """Remembers from which inputs a folder was made, so that setup knows whether to make it again."""

    def __init__(self, folder, *inputs):
        self.file = folder / ".made-from"
        self.inputs = inputs

    def is_current(self):
        try:
            return self.file.read_text() == self._digest()
        except OSError:
            return False

    def write(self):
        self.file.write_text(self._digest())

    def _digest(self):
        digest = hashlib.sha256()
        for item in self.inputs:
            digest.update(item.read_bytes() if isinstance(item, Path) else str(item).encode())
            digest.update(b"\0")
        return digest.hexdigest()


# A virtual environment holds absolute paths and belongs to one Python, so both are among its inputs.
VENV_STAMP = Stamp(VENV, REQUIREMENTS, str(ROOT), sys.version)
KAFKA_STAMP = Stamp(KAFKA_LIBS, KAFKA_POM)
