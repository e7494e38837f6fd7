"""LocalStack in host mode, and the project's own template deployed into it."""

import http.client
import json
import os
import subprocess
import time
from pathlib import Path

from .common import CACHE, ROOT, SETUP_HINT, TEMPLATE, VENV, VENV_PYTHON, VENV_STAMP, Problem, say, tail
from .ports import HOST, free_ports
from .processes import MARK, Child

SERVICES = "sqs,events,cloudformation,iam,sts,cloudwatch"
REGION = "us-east-1"
ACCOUNT = "000000000000"
STACK_NAME = "okta-ocsf"
# The bus as AWS names it for a partner source. LocalStack has no partner sources, so the bus stands alone.
PARAMETERS = {"EventSourceName": "aws.partner/okta.com/acme/logs", "AssociatePartnerSource": "false"}
# -P: without the current folder on the module path. The path is part of the plugin index's key, so that the index
# would otherwise be built again for every run.
PYTHON = [VENV_PYTHON, "-P"]
# LocalStack's view of /, as far as setup prepares it; each run gets its own with a link to this one's static part.
PREPARED = VENV / "localstack"


def preparations():
    """The commands that compute, once, what every start would compute again: seconds of reading AWS's API models.

    They are also the first to import LocalStack, so a package that is missing shows here. Side by side, two first
    runs could read each other's half-written files.
    """
    index = "from plux.runtime.cache import EntryPointsCache as cache; cache.instance().get_entry_points()"
    return [[*PYTHON, "-c", index], [*PYTHON, "-m", "localstack.aws.spec"]]


def offline_environment(filesystem):
    """Nothing of the user's AWS or LocalStack settings comes in, and nothing leaves the machine."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(filesystem),
        "XDG_CACHE_HOME": str(CACHE),
        "FILESYSTEM_ROOT": str(filesystem),
        # In a container LocalStack takes itself for its own image and writes to /var/lib.
        "OVERRIDE_IN_DOCKER": "0",
        # No telemetry, no certificate download, no name server.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
    }


def static_libs(filesystem):
    return filesystem / "usr" / "lib" / "localstack"


class LocalStack:
    def __init__(self, run_folder):
        if not VENV_STAMP.is_current():
            raise Problem(f"LocalStack is not installed, or its list of packages changed\n  {SETUP_HINT}")
        self.run_folder = run_folder
        self.folder = run_folder / "localstack"
        static_libs(self.folder).parent.mkdir(parents=True)
        static_libs(self.folder).symlink_to(static_libs(PREPARED))
        (self.port,) = free_ports(1)
        self.url = f"http://{HOST}:{self.port}"
        self.child = Child("localstack", [*PYTHON, "-m", "localstack.runtime.main"], self._environment(),
                           folder=self.folder, log=run_folder / "localstack.log")

    def _environment(self):
        return {
            **offline_environment(self.folder),
            MARK: str(self.run_folder),
            "GATEWAY_LISTEN": f"{HOST}:{self.port}",
            "LOCALSTACK_HOST": f"{HOST}:{self.port}",
            "SERVICES": SERVICES,
            "SQS_ENDPOINT_STRATEGY": "path",
            "LS_LOG": "warn",
        }

    def until_ready(self):
        seconds = self.child.until_ready(self._answers)
        say("localstack", f"ready in {seconds:.1f} s at {self.url}")

    def _answers(self):
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/_localstack/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def deploy(self):
        """Deploys the template and returns the variables that describe what it made."""
        started = time.monotonic()
        log = self.run_folder / "deploy.log"
        helper = Path(__file__).with_name("deploy.py")
        command = [*PYTHON, helper, TEMPLATE, STACK_NAME, json.dumps(PARAMETERS)]
        environment = {"PATH": os.defpath, "HOME": str(self.folder), MARK: str(self.run_folder), **self.client_variables()}
        with open(log, "wb") as errors:
            result = subprocess.run(list(map(str, command)), env=environment, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=errors)
        if result.returncode != 0:
            raise Problem(f"deploying {TEMPLATE.relative_to(ROOT)} failed:\n{tail(log)}")
        outputs = json.loads(result.stdout)
        say("template", f"deployed in {time.monotonic() - started:.1f} s: bus {outputs['EventBusName']}")
        return {
            "STACK_ACCOUNT_ID": ACCOUNT,
            "STACK_QUEUE_URL": outputs["QueueUrl"],
            "STACK_DLQ_URL": outputs["DeadLetterQueueUrl"],
            "STACK_EVENT_BUS": outputs["EventBusName"],
            "STACK_RULE": outputs["RuleName"],
        }

    def client_variables(self):
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
