"""Deploys a CloudFormation template and prints its outputs as JSON. Run with the virtual environment's Python.

Usage: deploy.py TEMPLATE STACK_NAME PARAMETERS_AS_JSON, with the usual AWS variables.
"""

import json
import sys
import time
from pathlib import Path

import boto3

SECONDS = 120


def main(template, name, parameters):
    client = boto3.client("cloudformation")
    client.create_stack(
        StackName=name,
        TemplateBody=Path(template).read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in json.loads(parameters).items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    stack = finished(client, name)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        sys.exit(f"stack {name}: {stack['StackStatus']}\n" + reasons(client, name))
    print(json.dumps({output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}))


def finished(client, name):
    """Asks often: boto3's own waiter sleeps half a minute between two questions."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(0.1)
    sys.exit(f"stack {name} was not finished after {SECONDS} s")


def reasons(client, name):
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    return "\n".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"
                     for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED"))


if __name__ == "__main__":
    main(*sys.argv[1:])
