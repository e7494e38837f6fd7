#!/usr/bin/env python3
"""The whole pipeline on real parts, for a person to watch; run by `make demo`.

A simulated Okta org streams System Log events to EventBridge, with duplicates, late ones and a few poison ones; the
worker lands, folds and publishes them. Somebody asks for the inventory, and while that is read the worker is killed with
SIGKILL and started again: it goes on where it was. Then a person is suspended, which the inventory and that person's next
event must show within seconds, and another one is deleted while the log stream is cut off, which the next snapshot must
find. At the end every uuid that the org logged is looked for in the output topics, and the org is asked whether all of it
was read.
"""

import collections
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
FOLDER = ROOT / ".local" / "demo"
ORG = "acme"
SECONDS = int(os.environ.get("DEMO_SECONDS", "40"))
RATE = int(os.environ.get("DEMO_EVENTS_PER_SECOND", "50"))
POISON = 8
USERS = 400
# A worker that needs longer than this for what is left has a fault worth seeing.
PATIENCE_SECONDS = 45
# Long enough that a snapshot can be quicker than the next poll, and a demo can wait for one.
POLL_SECONDS = 20


def main():
    # SIGTERM as Ctrl-C: the children are stopped on the way out of the `with` blocks.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*"):
        if old.is_file():
            old.unlink()
    port = free_port()
    config = write_config(port)
    say("worker", f"configuration {config.relative_to(ROOT)}, log {(FOLDER / 'worker.log').relative_to(ROOT)}")
    say("look", f"in another terminal: {tail_command(config, 'authentication')}")
    with Worker(config) as worker:
        worker.until_ready()
        with Org(port) as org:
            check(config)
            with Collect(config) as collect:
                play(org, worker, collect)
                finish(org, worker)
                inventory = collect.report()
            stories = [suspend_somebody(config, org), delete_somebody(config, org)]
            finish(org, worker)
            truth, poison = org.events(), org.get_json("/_org/poison")
            state = org.state()
    return summary(config, truth, poison, state, inventory, stories)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_config(port):
    data = pathlib.Path(os.environ["STACK_DIR"]) / "worker-data"
    (FOLDER / "token").write_text("sim-token")
    # An org with more quota than any real one: a demo has a minute for what would take an hour.
    limits = {"concurrency": 75, "share": 1.0, "buckets": [{"path": "*", "limit": 30_000}]}
    (FOLDER / "limits.json").write_text(json.dumps(limits))
    config = FOLDER / "worker.toml"
    config.write_text(f"""\
# The demo's worker. AWS endpoint and credentials come from the environment, as they would on a real machine.
[worker]
data_dir = "{data}"

[[org]]
id = "{ORG}"
event_source = "{os.environ['STACK_EVENT_BUS']}"

[org.api]
url = "http://127.0.0.1:{port}"
token = {{ file = "{FOLDER / 'token'}" }}

[org.snapshot]
interval_hours = 0       # only when somebody asks

[org.log]
every_seconds = {POLL_SECONDS}       # the poll that heals what the stream does not bring; 60 is usual
stream_grace_seconds = 10

[[queue]]
url = "{os.environ['STACK_QUEUE_URL']}"
orgs = ["{ORG}"]
event_rule = "{os.environ['STACK_EVENT_BUS']}/{os.environ['STACK_RULE']}"
wait_seconds = 2         # a demo ends soon; 20 is cheaper
visibility_seconds = 10  # after the kill, what was in hand comes back in 10 s

[kafka]
brokers = "{os.environ['KAFKA_BROKERS']}"

[kafka.topics]
partitions = 3
replication_factor = 1   # one broker
min_insync_replicas = 1

[telemetry]
listen = "127.0.0.1:0"
log_format = "json"
""")
    return config


class Process:
    """A child in a group of its own, stopped at the end of a `with` block."""

    def __init__(self, command, log):
        self.log = log
        with open(log, "ab") as output:
            self.child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=output,
                                          stdin=subprocess.DEVNULL, start_new_session=True, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


class Org(Process):
    def __init__(self, port):
        super().__init__([
            BUILD / "examples" / "okta-org", "--listen", f"127.0.0.1:{port}", "--org", ORG, "--seed", "1",
            "--users", USERS, "--groups", "60", "--apps", "12", "--limits", FOLDER / "limits.json", "--latency-ms", "100",
            "--event-bus", os.environ["STACK_EVENT_BUS"], "--queue-url", os.environ["STACK_QUEUE_URL"],
            "--events-per-second", RATE, "--seconds", SECONDS, "--poison", POISON,
        ], FOLDER / "okta-org.log")
        self.url = json.loads(self.child.stdout.readline())["listening"]
        say("okta org", f"{ORG} at {self.url}, {RATE} events/s for {SECONDS} s, with duplicates, late and poison ones")

    def get_json(self, path):
        return json.loads(get(self.url + path))

    def post(self, path, content):
        request = urllib.request.Request(self.url + path, json.dumps(content).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as reply:
            return reply.read().decode()

    def act(self, deed, subject, other=None):
        """Does something to somebody; the org logs it, and streams it if the stream is on."""
        done = json.loads(self.post("/_org/act", {"deed": deed, "subject": subject, "other": other}))["done"]
        if not done:
            raise SystemExit(f"the org could not do {deed} to {subject}")

    def users(self, status):
        """Ids of people with a status, as the org knows it."""
        people = map(json.loads, get(self.url + "/_org/truth/users").splitlines())
        return [person["id"] for person in people if person.get("status") == status]

    def polls(self):
        """How often its log was asked for."""
        return sum(self.get_json("/_org/usage")["paths"].get("/api/v1/logs", {}).values())

    def state(self):
        return self.get_json("/_org/state")

    def events(self):
        return [json.loads(line) for line in get(self.url + "/_org/events").splitlines()]


class Worker:
    """The worker, which is killed and started again in the middle."""

    def __init__(self, config):
        self.config = config
        self.process = None
        # What the metrics of earlier incarnations said at their end.
        self.before = collections.Counter()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.process.stop()

    def start(self):
        self.process = Process([BUILD / "okta-ocsf", "run", "--config", self.config], FOLDER / "worker.log")
        self.address = None

    def kill(self):
        self.before += self.metrics()
        self.process.child.kill()
        self.process.child.wait()

    def until_ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.child.poll() is not None:
                raise SystemExit(f"the worker ended with status {self.process.child.returncode}; see {self.process.log}")
            if self.find_address() and ready(f"http://{self.address}/readyz"):
                say("worker", f"ready, metrics at http://{self.address}/metrics")
                return
            time.sleep(0.1)
        raise SystemExit(f"the worker is not ready after 30 s; see {self.process.log}")

    def find_address(self):
        """The telemetry port is a free one; the last start in the log names it."""
        if not self.address:
            lines = self.process.log.read_text(errors="replace").splitlines()
            records = [json.loads(line) for line in lines if line.startswith("{")]
            starts = [record for record in records if record.get("message") == "worker starts"]
            self.address = starts[-1]["telemetry"] if starts else None
            if self.address and not answers(f"http://{self.address}/livez"):
                self.address = None  # that was the incarnation before
        return self.address

    def metrics(self):
        """The counters, by name and summed over labels."""
        totals = collections.Counter()
        try:
            text = get(f"http://{self.address}/metrics")
        except OSError:
            return totals
        for line in text.splitlines():
            if line.startswith("okta_ocsf_") and "_bucket" not in line:
                name, value = line.rsplit(" ", 1)
                totals[name.split("{")[0]] += int(float(value))
                if 'verdict="duplicate"' in name:
                    totals["duplicates"] += int(float(value))
        return totals

    def totals(self):
        return self.before + self.metrics()


class Collect(Process):
    """`okta-ocsf collect`: asks the running worker for the inventory and follows what it does."""

    def __init__(self, config):
        self.config, self.child = config, None

    def ask(self):
        super().__init__([BUILD / "okta-ocsf", "collect", "--json", "--config", self.config], FOLDER / "collect.log")

    def stop(self):
        if self.child:
            super().stop()

    def report(self):
        """What it says at its end."""
        output, _ = self.child.communicate(timeout=PATIENCE_SECONDS)
        if not output:
            raise SystemExit("the inventory was not read; see .local/demo/collect.log")
        return json.loads(output)[0]


def check(config):
    result = subprocess.run([BUILD / "okta-ocsf", "check", "--config", config], capture_output=True, text=True)
    # Of the collections only those that are not simply fine: there are seventy.
    collections = lambda line: line.startswith("  ok") and "/api/v1/" in line or line.rstrip().endswith("empty")
    lines = [line for line in result.stdout.rstrip().splitlines() if result.returncode or not collections(line)]
    print("\n".join("  " + line for line in lines), flush=True)
    if result.returncode != 0:
        raise SystemExit("okta-ocsf check found something missing")


def play(org, worker, collect):
    print(f"\n{'time':>6} {'logged':>8} {'received':>9} {'landed':>8} {'published':>10} {'duplicates':>11} {'quarantined':>12}")
    started = time.monotonic()
    ask_at, kill_at = started + SECONDS / 2 - 4, started + SECONDS / 2
    received, moved = 0, started
    while org.state()["phase"] == "running":
        time.sleep(2)
        before, received = received, progress(started, org, worker)
        # A busy machine streams slowly, which is no reason to give up.
        moved = time.monotonic() if received != before else moved
        if ask_at and time.monotonic() > ask_at:
            ask_at = None
            print(f"        okta-ocsf collect: the inventory of {USERS:,} people", flush=True)
            collect.ask()
        if kill_at and time.monotonic() > kill_at:
            kill_at = None
            print("        kill -9 of the worker, and started again", flush=True)
            worker.kill()
            worker.start()
            worker.until_ready()
        if time.monotonic() > max(moved, started + SECONDS) + PATIENCE_SECONDS:
            raise SystemExit("the org could not stream its events; see .local/demo/okta-org.log")


def progress(started, org, worker):
    """Says how far it is; tells how much the worker has received."""
    total = worker.totals()
    print(f"{time.monotonic() - started:5.0f}s {org.state()['logged']:8} {total['okta_ocsf_sqs_received_total']:9} "
          f"{total['okta_ocsf_landed_total']:8} {total['okta_ocsf_published_total']:10} {total['duplicates']:11} "
          f"{total['okta_ocsf_quarantined_total']:12}", flush=True)
    return total["okta_ocsf_sqs_received_total"]


def finish(org, worker):
    """Waits until nothing moves any more and the queue has nothing left to give."""
    started, quiet, last = time.monotonic(), 0, None
    moved = started
    while quiet < 5 and time.monotonic() < moved + PATIENCE_SECONDS:
        time.sleep(1)
        total = worker.totals()
        now = (total["okta_ocsf_sqs_deleted_total"], total["okta_ocsf_published_total"])
        idle = worker.metrics()["okta_ocsf_sqs_in_flight"] == 0 and queue_is_empty()
        quiet = quiet + 1 if idle and now == last else 0
        moved = time.monotonic() if now != last else moved
        last = now
    progress(started - SECONDS, org, worker)


def suspend_somebody(config, org):
    """Suspends a person; tells how long it took until the inventory says so, and that person's next event."""
    person = org.users("ACTIVE")[0]
    print(f"\nThe person {person} is suspended, and then joins a group", flush=True)
    acted = time.time()
    org.act("user.suspend", person)
    known = until(lambda: core_of(config, person).get("body", {}).get("status") == "SUSPENDED")
    org.act("member.add", None, person)
    is_it = lambda record: (record["value"] and record["value"].get("user", {}).get("uid") == person
                            and record["value"].get("status_code") == "SUSPENDED")
    inventory = until(lambda: first(config, "user_inventory", is_it))
    event = until(lambda: first(config, "group_management", lambda record: "SUSPENDED" in enrichment(record, person)))
    if inventory:
        say("inventory", f"published as suspended after {inventory['timestamp'] / 1000 - acted:.1f} s, "
                         f"known by {core_of(config, person)['cause']}")
    if event:
        data = json.loads(enrichment(event, person))[0]["data"]
        shown = {key: data[key] for key in ("status", "confidence", "staleness_ms", "group_count") if key in data}
        say("next event", f"published {event['timestamp'] / 1000 - acted:.1f} s after that, enriched with {shown}")
    if not (known and inventory and event):
        print("           the suspension is NOT where it should be", flush=True)
    return bool(known and inventory and event)


def delete_somebody(config, org):
    """Deletes a person while the stream is cut off; the next snapshot must find it, as a drift."""
    # The poll would find the event, too: so it is done right after one.
    polls = org.polls()
    until(lambda: org.polls() > polls, POLL_SECONDS * 2)
    person = org.users("DEPROVISIONED")[0]
    print(f"\nThe log stream is cut off, the person {person} is deleted, and somebody asks for a snapshot", flush=True)
    org.post("/_org/stream", {"active": False})
    org.act("user.delete", person)
    subprocess.run([BUILD / "okta-ocsf", "collect", "--collections", "users", "--json", "--config", config],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    gone = until(lambda: core_of(config, person).get("was") == "gone")
    drift = until(lambda: first(config, "detection_finding", lambda record: person in json.dumps(record["value"])
                                and "drift" in json.dumps(record["value"])))
    buried = until(lambda: first(config, "user_inventory", lambda record: person in str(record["key"]) and not record["value"]))
    say("drift", drift["value"]["message"] if drift else "NOT found")
    say("inventory", "a tombstone takes the person's record away" if gone and buried else "NO tombstone")
    alarm = until(lambda: status(config)["log"]["alarm"], POLL_SECONDS * 3)
    say("stream", f"okta-ocsf status: the stream is {alarm}; the poll brings its events meanwhile" if alarm else "NO alarm")
    print(flush=True)
    subprocess.run([BUILD / "okta-ocsf", "status", "--config", config])
    return bool(gone and drift and buried and alarm)


def core_of(config, person):
    """What the worker knows of a person, and how it came to know it."""
    shown = ask(config, "show", "user", person)
    facets = [facet["then"] for thing in shown["things"] for facet in thing["facets"] if facet["facet"] == "user.core"]
    return facets[0] if facets else {}


def status(config):
    return ask(config, "status")["orgs"][0]


def ask(config, *question):
    result = subprocess.run([BUILD / "okta-ocsf", *question, "--json", "--config", config], capture_output=True, text=True)
    return json.loads(result.stdout)


def first(config, topic, is_it):
    return next((record for record in read_topics(config, topic) if is_it(record)), None)


def enrichment(record, person):
    """What the inventory added to an event about a person."""
    found = [one for one in record["value"].get("enrichments", []) if one.get("value") == person and one.get("type") == "inventory"]
    return json.dumps(found)


def until(found, seconds=PATIENCE_SECONDS):
    """What is found, as soon as it is; nothing, if it is not in time."""
    deadline = time.monotonic() + seconds
    while not (answer := found()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return answer


def queue_is_empty():
    script = ("import boto3, os; a = boto3.client('sqs').get_queue_attributes(QueueUrl=os.environ['STACK_QUEUE_URL'], "
              "AttributeNames=['All'])['Attributes']; "
              "print(int(a['ApproximateNumberOfMessages']) + int(a['ApproximateNumberOfMessagesNotVisible']))")
    result = subprocess.run([os.environ["STACK_PYTHON"], "-c", script], capture_output=True, text=True)
    return result.stdout.strip() == "0"


def summary(config, truth, poison, state, inventory, stories):
    everything_out = read_topics(config)
    records = [record for record in everything_out if is_event(record)]
    everything = read_topics(config, "landing")
    landed = [record for record in everything if record["headers"]["kind"] == "event"]
    quarantined = read_topics(config, "quarantine")
    wanted = {event["uuid"]: event for event in truth}
    found = collections.Counter(record["value"]["metadata"]["original_event_uid"] for record in records)
    missing = set(wanted) - set(found)
    doubled = {uuid for uuid, count in found.items() if count > 1}
    strange = set(found) - set(wanted)
    classes = collections.Counter(record["value"]["class_name"] for record in records)
    reasons = collections.Counter(record["headers"]["reason"] for record in quarantined)
    latencies = sorted(
        record["timestamp"] - wanted[uuid]["first_sent_ms"]
        for record in records
        if (uuid := record["value"]["metadata"]["original_event_uid"]) in wanted and wanted[uuid]["first_sent_ms"]
        # What the poll found first was published before it was streamed.
        and record["timestamp"] >= wanted[uuid]["first_sent_ms"]
    )

    print("\nWhat happened")
    row("events that the org logged", len(wanted))
    row("  sent a second time", state["duplicates"])
    row("  sent late", state["late"])
    row("records landed", len(landed))
    row("records published", len(records))
    for name, count in classes.most_common():
        row(f"  {name}", count)
    row("duplicates dropped", len(landed) - len(records))
    row("poison sent / quarantined", f"{len(poison)} / {len(quarantined)}")
    for name, count in sorted(reasons.items()):
        row(f"  {name}", count)
    if latencies:
        row("bus to output topic, p50 / p99", f"{percentile(latencies, 50)} ms / {percentile(latencies, 99)} ms")
    verdicts = collections.Counter(row["verdict"] for row in inventory["collections"])
    row("collections of the inventory", ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in verdicts.most_common()))
    row("  objects in them", sum(row["objects"] for row in inventory["collections"]))
    row("  people read / in the org", f"{next(row['objects'] for row in inventory['collections'] if row['collection'] == 'users')} / {USERS}")
    row("  calls, rate limit refusals", f"{inventory['calls']}, {inventory['refused']}")
    row("uuids missing / doubled / unknown", f"{len(missing)} / {len(doubled)} / {len(strange)}")

    keep(everything_out, quarantined)
    (FOLDER / "inventory.json").write_text(json.dumps(inventory))
    good = all(stories) and not (missing or doubled or strange or inventory["aborted"] or verdicts["partial"] or verdicts["failed"])
    print("\nEvery uuid that the org logged is in the output exactly once, and all of the inventory was read." if good
          else "\nThe output is NOT what the org has; see .local/demo/worker.log")
    print(f"""
How to look further
  the records of this run     jq . .local/demo/authentication.ndjson | less
  follow a topic              make demo DEMO_SECONDS=600, and meanwhile in another terminal
                              {tail_command(config, 'authentication')}
  the worker's log            .local/demo/worker.log
  what was read of the org    .local/demo/collect.log; jq . .local/demo/inventory.json
""")
    return 0 if good else 1


def is_event(record):
    """Whether it is the record of an event, and not of the inventory or of the worker itself."""
    return bool(record["value"]) and "original_event_uid" in record["value"].get("metadata", {})


def read_topics(config, *topics):
    command = [BUILD / "okta-ocsf", "tail", *topics, "--config", config, "--from-start", "--until-end", "--envelope"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def keep(records, quarantined):
    """The broker ends with the demo; what it held stays in files."""
    by_topic = collections.defaultdict(list)
    for record in records:
        by_topic[record["topic"].rsplit(".", 1)[-1]].append(record["value"])
    by_topic["quarantine"] = quarantined
    for name, values in by_topic.items():
        (FOLDER / f"{name}.ndjson").write_text("".join(json.dumps(value) + "\n" for value in values))


def percentile(ordered, percent):
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def row(name, value):
    print(f"  {name:<36} {value}")


def tail_command(config, topic):
    return f"{os.path.relpath(BUILD)}/okta-ocsf tail {topic} --config {config.relative_to(ROOT)}"


def get(url):
    with urllib.request.urlopen(url, timeout=5) as reply:
        return reply.read().decode()


def answers(url):
    try:
        get(url)
        return True
    except OSError:
        return False


def ready(url):
    return answers(url)  # 503, not ready, is an OSError to urllib


def say(name, text):
    print(f"{name:<10} {text}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nstopped")
        sys.exit(130)
