#!/usr/bin/env python3
"""The worker beside a bare pump, on the same queue and broker, in one run; run by `make bench`.

The pump makes the same SQS calls and produces every body as it is: what it reaches is what this machine, LocalStack
and Kafka can do. Rounds alternate, because other work on the machine comes and goes. All times are the broker's own
(LogAppendTime), so neither program measures itself. The result is a ratio; the absolute figures are this machine's.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import uuid

import boto3

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
FOLDER = pathlib.Path(os.environ["STACK_DIR"]) / "bench"
BROKERS = os.environ["KAFKA_BROKERS"]
SOURCE = "aws.partner/okta.com/acme/logs"
AIM = 0.8
TRICKLE_SECONDS = 5

sqs = boto3.client("sqs")


def main():
    options = arguments()
    FOLDER.mkdir(parents=True)
    print(f"{options.messages} messages a round, {options.rounds} rounds, {options.receivers} receivers, "
          f"latency at {options.rate} messages/s\n")
    print(f"{'round':<7}{'':<8}" + HEADINGS)
    figures = {"pump": [], "worker": []}
    for number in range(1, options.rounds + 1):
        for name, contestant in (("pump", Pump), ("worker", Worker)):
            figures[name].append((*drain(contestant, options), *trickle(contestant, options)))
            print(f"{number:<7}{name:<8}" + row(figures[name][-1]), flush=True)
    ratio = report(figures)
    return 0 if ratio >= AIM else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=int(os.environ.get("BENCH_MESSAGES", "6000")))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", "3")))
    parser.add_argument("--receivers", type=int, default=4)
    parser.add_argument("--rate", type=int, default=100)
    return parser.parse_args()


def report(figures):
    median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in figures.items()}
    print()
    for name, columns in median.items():
        print(f"{'median':<7}{name:<8}" + row(columns))
    ratios = [worker / pump for worker, pump in zip(median["worker"], median["pump"])]
    print(f"{'':<7}{'ratio':<8}" + "".join(f"{ratio:>{width}.2f}" for ratio, width in zip(ratios, WIDTHS)))
    print(f"\nthroughput: {ratios[0]:.2f} of the pump's (aim: at least {AIM})")
    print("The worker stores every event twice, in the landing log and as OCSF, and commits its state; the pump stores it\n"
          "once. LocalStack is the slowest part for both, so the CPU column says more about the two programs.")
    return ratios[0]


HEADINGS = f"{'messages/s':>11}{'CPU µs/message':>16}{'p50 ms':>9}{'p99 ms':>9}"
WIDTHS = (11, 16, 9, 9)


def row(columns):
    return "".join(f"{column:>{width}.0f}" for column, width in zip(columns, WIDTHS))


class Contestant:
    """A program under measurement: `process`, and the topics that hold its output."""

    def output(self):
        return tail(self.config, self.topics)

    def stop(self):
        """Ends the program; gives the CPU seconds that it took."""
        self.process.terminate()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime


class Pump(Contestant):
    """The bare pump: body in, body out."""

    def __init__(self, queue, options):
        topic = f"pump-{uuid.uuid4().hex[:8]}"
        self.config = config(topic, queue, options)
        self.process = subprocess.Popen(
            [BUILD / "examples" / "bare-pump", "--queue-url", queue, "--brokers", BROKERS, "--topic", topic,
             "--receivers", str(options.receivers)], stdout=subprocess.PIPE, text=True)
        self.topics = [topic]
        assert self.process.stdout.readline() == "ready\n"


class Worker(Contestant):
    """The worker with its defaults, but for the number of receivers."""

    def __init__(self, queue, options):
        self.config = config(f"worker-{uuid.uuid4().hex[:8]}", queue, options)
        self.log = open(self.config.with_suffix(".log"), "w")
        self.topics = []  # all of its outputs
        self.process = subprocess.Popen([BUILD / "okta-ocsf", "run", "--config", self.config], stderr=self.log)


def config(name, queue, options):
    path = FOLDER / f"{name}.toml"
    path.write_text(f"""\
[worker]
data_dir = "{FOLDER}/{name}-data"
[[org]]
id = "acme"
event_source = "{SOURCE}"
[[queue]]
url = "{queue}"
orgs = ["acme"]
receivers = {options.receivers}
wait_seconds = 2
visibility_seconds = 600
[kafka]
brokers = "{BROKERS}"
[kafka.topics]
partitions = 3
replication_factor = 1
min_insync_replicas = 1
[landing]
topic = "{name}.landing"
group = "{name}"
[publish]
topic_prefix = "{name}.ocsf"
[quarantine]
topic = "{name}.quarantine"
[telemetry]
listen = ""
log_level = "warn"
""")
    return path


def drain(contestant, options):
    """Messages a second of a queue that is full at the start, from the first stored record to the last; and the CPU
    microseconds that each took."""
    queue = new_queue()
    fill(queue, options.messages)
    runner = contestant(queue, options)
    times = sorted(record["timestamp"] for record in until_complete(runner, options.messages))
    cpu = runner.stop()
    return (len(times) - 1) / max(times[-1] - times[0], 1) * 1000, cpu / len(times) * 1e6


def trickle(contestant, options):
    """Milliseconds from sending to the output topic, 50th and 99th percentile, far below what either can carry."""
    queue = new_queue()
    fill(queue, 10)
    runner = contestant(queue, options)
    until_complete(runner, 10)  # it is warm, and partitions are assigned
    total = 10
    started = time.time()
    while time.time() < started + TRICKLE_SECONDS:
        send(queue, [body()])
        total += 1
        time.sleep(max(0.0, started + (total - 10) / options.rate - time.time()))
    records = until_complete(runner, total)
    runner.stop()
    # Without those of the start, which waited for it.
    latencies = sorted(record["timestamp"] - sent_at(record) for record in records if sent_at(record) >= started * 1000)
    return percentile(latencies, 50), percentile(latencies, 99)


def sent_at(record):
    value = record["value"]
    event = value.get("detail") or json.loads(value["raw_data"])
    return event["debugContext"]["debugData"]["sent_ms"]


def until_complete(runner, count):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        records = runner.output()
        if len(records) >= count:
            return records
        time.sleep(1)
    raise SystemExit(f"only {len(records)} of {count} messages came out; see {FOLDER}")


def new_queue():
    return sqs.create_queue(QueueName=f"bench-{uuid.uuid4().hex[:8]}")["QueueUrl"]


def fill(queue, count):
    for start in range(0, count, 10):
        send(queue, [body() for _ in range(min(10, count - start))])


def send(queue, bodies):
    sqs.send_message_batch(QueueUrl=queue, Entries=[
        {"Id": str(index), "MessageBody": text} for index, text in enumerate(bodies)])


def body():
    """An event of about 1.5 kB, the mean of real ones."""
    return json.dumps({"version": "0", "id": str(uuid.uuid4()), "detail-type": "SystemLog", "source": SOURCE, "detail": {
        "uuid": str(uuid.uuid4()), "published": "2026-05-04T10:20:30.123Z", "eventType": "user.session.start",
        "version": "0", "severity": "INFO", "displayMessage": "User login to Okta", "legacyEventType": None,
        "actor": {"id": "00u1abcdefGHIJKLmn0h7", "type": "User", "alternateId": "ada@example.com",
                  "displayName": "Ada Example", "detailEntry": None},
        "client": {"userAgent": {"rawUserAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                                 "os": "Linux", "browser": "FIREFOX"}, "zone": "OFF_NETWORK", "device": "Computer",
                   "id": None, "ipAddress": "192.0.2.7",
                   "geographicalContext": {"city": "Graz", "state": "Styria", "country": "Austria", "postalCode": "8010",
                                           "geolocation": {"lat": 47.07, "lon": 15.44}}},
        "authenticationContext": {"authenticationProvider": None, "credentialProvider": None, "credentialType": None,
                                  "issuer": None, "interface": None, "authenticationStep": 0,
                                  "externalSessionId": "102aBcDeFgHiJkLmNoPqRsTu", "rootSessionId": "102aBcDeFgHiJkLmNoPqRsTu"},
        "securityContext": {"asNumber": 64500, "asOrg": "Example Net", "isp": "Example ISP", "domain": "example.net",
                            "isProxy": False},
        "outcome": {"result": "SUCCESS", "reason": None},
        "target": [{"id": "0oa1abcdefGHIJKLmn0h7", "type": "AppInstance", "alternateId": "Payroll", "displayName": "Payroll"}],
        "transaction": {"id": uuid.uuid4().hex, "type": "WEB", "detail": {}},
        "debugContext": {"debugData": {"sent_ms": int(time.time() * 1000), "requestUri": "/idp/idx/identify",
                                       "requestId": uuid.uuid4().hex, "dtHash": uuid.uuid4().hex * 2,
                                       "risk": "{level=LOW}", "threatSuspected": "false"}},
        "request": {"ipChain": [{"ip": "192.0.2.7", "version": "V4", "source": None}]}}})


def tail(path, topics):
    command = [BUILD / "okta-ocsf", "tail", *topics, "--config", path, "--from-start", "--until-end", "--envelope"]
    result = subprocess.run(command, capture_output=True, text=True)
    # The topics may not be there yet.
    return [json.loads(line) for line in result.stdout.splitlines()] if result.returncode == 0 else []


def percentile(ordered, percent):
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    sys.exit(main())
