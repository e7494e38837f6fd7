"""`setup`: checks the tools and installs LocalStack and Kafka under .local/."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import aws
from .common import (KAFKA_LIBS, KAFKA_POM, KAFKA_STAMP, LOCAL, REQUIREMENTS, VENV, VENV_PYTHON, VENV_STAMP,
                     Problem, say, tail)

LOG = LOCAL / "setup.log"
OLDEST_JAVA = 17


def setup():
    LOCAL.mkdir(exist_ok=True)
    with open(LOCAL / "setup.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second setup waits, then finds everything done
        LOG.write_text("")
        check_tools()
        install_localstack()
        install_kafka()
    return 0


# Tools


@dataclass(frozen=True)
class Tool:
    what: str
    package: str
    is_there: Callable[[], bool]
    needed: bool = True


def check_tools():
    missing = [tool for tool in TOOLS if not tool.is_there()]
    if missing and can_install():
        # Apart, so that a Java that cannot be had does not hold up what is needed.
        apt_install([tool for tool in missing if tool.needed])
        apt_install([tool for tool in missing if not tool.needed])
        missing = [tool for tool in missing if not tool.is_there()]
    if any(tool.needed for tool in missing):
        raise Problem(missing_message(missing))
    for tool in missing:
        say("tools", f"no {tool.what} (Debian: {tool.package}); runs will use librdkafka's mock cluster for Kafka")
    if not cargo():
        say("tools", "no cargo; install Rust with rustup (https://rustup.rs) to build the project")
    if not missing:
        say("tools", "ok")


def missing_message(missing):
    names = ", ".join(tool.what for tool in missing)
    return f"missing on this machine: {names}\n  on Debian or Ubuntu: sudo apt-get install {packages(missing)}\n  then run setup again"


def packages(tools):
    return " ".join(sorted({tool.package for tool in tools}))


def can_install():
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def apt_install(tools):
    """Tries to install; the caller looks again at what is there."""
    if not tools:
        return
    say("tools", f"installing Debian packages: {packages(tools)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages(tools).split()]
    for command in (["apt-get", "update"], install):
        if not logged(command, environment):
            say("tools", f"'{' '.join(command[:2])}' failed, see {LOG}\n{tail(LOG, 5)}")


def has_venv():
    try:
        import ensurepip  # noqa: F401 (Debian packs it apart from Python)
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


def has_library(name):
    """Without pkg-config nobody can tell, so the library counts as missing together with it."""
    return succeeds(["pkg-config", "--exists", name])


def has_java():
    if not shutil.which("java"):
        return False
    # `java -version` answers on standard error: openjdk version "17.0.15" 2025-04-15
    answer = subprocess.run(["java", "-version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    version = re.search(r'version "(\d+)', answer.stderr)
    return bool(version) and int(version[1]) >= OLDEST_JAVA


def has_maven():
    """Maven only fetches Kafka, so it may be gone once that is done."""
    return shutil.which("mvn") is not None or KAFKA_STAMP.is_current()


def cargo():
    return shutil.which("cargo") or (Path.home() / ".cargo" / "bin" / "cargo").exists()


def on_path(*names):
    return lambda: all(shutil.which(name) for name in names)


TOOLS = [
    Tool("Python's venv module", "python3-venv", has_venv),
    Tool("a C compiler and make", "build-essential", on_path("cc", "make")),
    Tool("pkg-config", "pkg-config", on_path("pkg-config")),
    Tool("OpenSSL's headers", "libssl-dev", lambda: has_library("openssl")),
    Tool("zlib's headers", "zlib1g-dev", lambda: has_library("zlib")),
    Tool("openssl", "openssl", on_path("openssl")),
    Tool(f"Java {OLDEST_JAVA} or later", "default-jre-headless", has_java, needed=False),
    Tool("Maven", "maven", has_maven, needed=False),
]


# What is installed


def install_localstack():
    if VENV_STAMP.is_current():
        say("localstack", "already installed")
        return
    count = sum(1 for line in REQUIREMENTS.read_text().splitlines() if "==" in line)
    say("localstack", f"installing {count} Python packages into {VENV} (about a minute)")
    started = time.monotonic()
    shutil.rmtree(VENV, ignore_errors=True)
    must([sys.executable, "-m", "venv", VENV], "making the virtual environment")
    # The list is complete, so pip need not work out what depends on what.
    must([VENV_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-deps",
          "--requirement", REQUIREMENTS], "installing LocalStack")
    aws.static_libs(aws.PREPARED).mkdir(parents=True)
    for command in aws.preparations():
        must(command, "preparing LocalStack", aws.offline_environment(aws.PREPARED))
    VENV_STAMP.write()
    say("localstack", f"installed in {time.monotonic() - started:.0f} s")


def install_kafka():
    if KAFKA_STAMP.is_current():
        say("kafka", "already installed")
        return
    if not (has_java() and has_maven()):
        return
    say("kafka", f"fetching the broker into {KAFKA_LIBS}")
    started = time.monotonic()
    shutil.rmtree(KAFKA_LIBS, ignore_errors=True)
    repository = LOCAL / "kafka" / "maven"  # not the user's own: setup leaves everything outside the project alone
    must(["mvn", "--batch-mode", "--quiet", "-Dstyle.color=never", "--file", KAFKA_POM, f"-Dmaven.repo.local={repository}",
          "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={KAFKA_LIBS}"],
         "fetching Kafka from Maven Central")
    shutil.rmtree(repository, ignore_errors=True)
    KAFKA_STAMP.write()
    say("kafka", f"installed in {time.monotonic() - started:.0f} s")


def must(command, what, environment=None):
    if not logged(command, environment):
        raise Problem(f"{what} failed; the end of {LOG}:\n{tail(LOG)}")


def logged(command, environment=None):
    """Runs a command with its output in the log; true when it succeeded."""
    with open(LOG, "a") as log:
        try:
            return subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=subprocess.STDOUT, env=environment).returncode == 0
        except OSError as error:
            log.write(f"{command[0]}: {error}\n")
            return False


def succeeds(command):
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False
