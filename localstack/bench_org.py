"""What the benches of Okta's API share: a simulated org, and `okta-ocsf` run against it."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
CONFIG = """
[worker]
roles = ["normalize", "collect"]
data_dir = "{folder}/data"
[[org]]
id = "acme"
[org.api]
url = "{url}"
token = {{ env = "OKTA_TOKEN" }}
[org.quota]
share = 1.0 # all of the limits that the org shows
"""


@contextlib.contextmanager
def running_org(arguments):
    """An org that sends nothing by itself; its address."""
    command = [BUILD / "examples" / "okta-org", "--no-stream", *map(str, arguments)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(child.stdout.readline())["listening"]
    finally:
        child.kill()
        child.wait()


def limits_file(folder, buckets):
    """What `--limits` takes: all of these limits are for one client."""
    path = pathlib.Path(folder) / "limits.json"
    path.write_text(json.dumps({"concurrency": 75, "share": 1.0, "buckets": buckets}))
    return path


def get(url, path):
    with urllib.request.urlopen(url + path) as answer:
        return json.load(answer)


def run(subcommand, folder, url, arguments, stderr=None):
    """Runs `okta-ocsf SUBCOMMAND`; its report, the most memory that it had, in MiB, and its CPU time, in seconds."""
    config = pathlib.Path(folder) / "worker.toml"
    config.write_text(CONFIG.format(folder=folder, url=url))
    command = [BUILD / "okta-ocsf", subcommand, "--config", config, "--json", *map(str, arguments)]
    environment = {**os.environ, "OKTA_TOKEN": "sim-token"}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if not output:
        sys.exit(f"okta-ocsf {subcommand} ended with {child.returncode} and no report")
    return json.loads(output)[0], usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime
