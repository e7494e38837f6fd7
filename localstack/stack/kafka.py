"""Kafka: one Apache broker (KRaft, so without ZooKeeper), or librdkafka's mock cluster where there is no Java."""

import os
import shutil
import struct
import subprocess

from . import certificates
from .common import KAFKA_LIBS, KAFKA_STAMP, ROOT, SETUP_HINT, Problem, say, tail
from .ports import HOST, connect, free_ports
from .processes import MARK, Child
from .setup import has_java

USER = "worker"
PASSWORD = "only-for-tests"
CHOICE = "OKTA_OCSF_KAFKA"
SECURITY = "org.apache.kafka.common.security"


def start(run_folder):
    """Starts whichever kind this machine can run, or the one asked for."""
    return Mock(run_folder) if wants_mock() else Apache(run_folder)


def wants_mock():
    choice = os.environ.get(CHOICE, "")
    if choice not in ("", "apache", "mock"):
        raise Problem(f"{CHOICE} is '{choice}'; use apache or mock, or leave it unset")
    if choice == "mock":
        return True
    if not has_java():
        return fall_back("no Java 17 or later", choice)
    if not KAFKA_STAMP.is_current():
        if shutil.which("mvn"):
            raise Problem(f"Kafka is not installed, or its version changed\n  {SETUP_HINT}")
        return fall_back("no Maven to fetch Kafka with", choice)
    return False


def fall_back(reason, choice):
    if choice == "apache":
        raise Problem(f"{CHOICE}=apache, but there is {reason} on this machine\n  {SETUP_HINT}")
    say("kafka", f"{reason}: using librdkafka's mock cluster instead of Apache Kafka")
    return True


class Apache:
    def __init__(self, run_folder):
        self.run_folder = run_folder
        self.folder = run_folder / "kafka"
        self.folder.mkdir()
        self.log = run_folder / "kafka.log"
        self.plain, self.tls, self.controller = free_ports(3)
        self.ca, keystore = certificates.make(self.folder)
        self.properties = self.folder / "server.properties"
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings(keystore).items()))
        self._format()
        self.child = Child("kafka", self._java("kafka.Kafka", self.properties, options=["-Xmx512m", "-XX:+UseSerialGC"]),
                           self._environment(), folder=self.folder, log=self.log)

    def _settings(self, keystore):
        listeners = {"PLAINTEXT": self.plain, "SASL_SSL": self.tls}
        login = f"{SECURITY}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"
        scram = f"{SECURITY}.scram.ScramLoginModule required;"
        # The broker's built-in validator takes any unsigned token: enough to test that a client sends one.
        bearer = f"{SECURITY}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{HOST}:{self.controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": addresses({**listeners, "CONTROLLER": self.controller}),
            "advertised.listeners": addresses(listeners),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.folder / "data",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": keystore,
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN,OAUTHBEARER",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.sasl_ssl.plain.sasl.jaas.config": login,
            "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config": bearer,
            "auto.create.topics.enable": "false",
            "message.max.bytes": 8388608,
            # The broker's own time of storing a record is the honest end of a latency.
            "log.message.timestamp.type": "LogAppendTime",
            "replica.fetch.max.bytes": 8388608,
            "group.initial.rebalance.delay.ms": 0,
            # One broker holds the only copy of everything; few internal partitions start faster.
            "default.replication.factor": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 4,
            # The default of 128 MB is a quarter of this broker's heap.
            "log.cleaner.dedupe.buffer.size": 16777216,
        }

    def _format(self):
        """Writes the empty storage, with the SCRAM user in it: there is no other way to have one from the start."""
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        command = self._java("kafka.tools.StorageTool", "format", "--cluster-id", "b2t0YS1vY3NmLXN0YWNrLQ",
                             "--config", self.properties, "--add-scram", scram, options=["-XX:TieredStopAtLevel=1"])
        with open(self.log, "ab") as log:
            result = subprocess.run(list(map(str, command)), cwd=self.folder, env=self._environment(),
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        if result.returncode != 0:
            raise Problem(f"formatting Kafka's storage failed; the end of {self.log}:\n{tail(self.log)}")

    def _java(self, main_class, *arguments, options):
        # -UsePerfData: no hsperfdata files outside the run folder.
        return ["java", *options, "-XX:-UsePerfData", f"-Djava.io.tmpdir={self.folder}",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-cp", KAFKA_LIBS / "*", main_class, *arguments]

    def _environment(self):
        kept = {key: os.environ[key] for key in ("PATH", "JAVA_HOME") if key in os.environ}
        return {**kept, "HOME": str(self.folder), MARK: str(self.run_folder)}

    def until_ready(self):
        seconds = self.child.until_ready(lambda: answers(self.plain) and accepts(self.tls))
        say("kafka", f"ready in {seconds:.1f} s at {HOST}:{self.plain}, with TLS and SASL at {HOST}:{self.tls}")

    def variables(self):
        return {
            "KAFKA_KIND": "apache",
            "KAFKA_BROKERS": f"{HOST}:{self.plain}",
            "KAFKA_TLS_BROKERS": f"{HOST}:{self.tls}",
            "KAFKA_CA_FILE": str(self.ca),
            "KAFKA_USER": USER,
            "KAFKA_PASSWORD": PASSWORD,
        }


class Mock:
    """examples/mock-kafka prints `brokers=127.0.0.1:PORT` and then serves until it is killed."""

    def __init__(self, run_folder):
        target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
        program = target / "debug" / "examples" / "mock-kafka"
        if not program.exists():
            raise Problem(f"no {program}\n  build it: cargo build --example mock-kafka")
        self.log = run_folder / "kafka.log"
        self.child = Child("mock kafka", [program], {**os.environ, MARK: str(run_folder)}, folder=run_folder, log=self.log)

    def until_ready(self):
        seconds = self.child.until_ready(lambda: self._brokers() is not None)
        say("kafka", f"mock cluster (librdkafka's, in memory) ready in {seconds:.1f} s at {self._brokers()}")

    def _brokers(self):
        for line in self.log.read_text(errors="replace").splitlines(keepends=True):
            if line.startswith("brokers=") and line.endswith("\n"):
                return line.strip().removeprefix("brokers=")
        return None

    def variables(self):
        return {"KAFKA_KIND": "mock", "KAFKA_BROKERS": self._brokers()}


def addresses(listeners):
    return ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items())


def accepts(port):
    try:
        connect(port).close()
        return True
    except OSError:
        return False


def answers(port):
    """Asks for the API versions: an answer means that the broker serves requests, not only that it listens."""
    body = struct.pack(">hhih", 18, 0, 7, -1)  # ApiVersions, version 0, correlation 7, no client name
    try:
        with connect(port) as broker:
            broker.sendall(struct.pack(">i", len(body)) + body)
            return broker.recv(8, 0x100)[4:] == struct.pack(">i", 7)  # 0x100: MSG_WAITALL
    except OSError:
        return False
