#!/usr/bin/env python3
"""The merge alone beside what is promised of it; run by `make bench`, with a Kafka.

Twice the same org: once with the changelog in a file, where nothing but the merge is measured; once with it in a topic, from
which the state is made again as by a worker that has lost its disk.
"""

import argparse
import json
import os
import subprocess
import sys

from bench_org import BUILD

AIM_RATE, AIM_DISK_MB, AIM_RESIDENT_MB, AIM_RESTORE_SECONDS = 150_000, 1_500, 300, 60


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--memberships", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    print(f"the merge on one core: {options.users:,} users, {options.memberships:,} memberships")
    alone = measure(options)
    print("with the changelog in Kafka")
    kept = measure(options, "--kafka", os.environ["KAFKA_BROKERS"])
    print(f"\n{'':<34}{'measured':>10}{'aim':>10}{'ratio':>8}")
    fine = [
        at_least("events/s, everybody known", alone["merge"]["records_a_second"], AIM_RATE),
        at_most("state on disk, MB", alone["state_mb"], AIM_DISK_MB),
        at_most("resident, MB", alone["resident_mb"], AIM_RESIDENT_MB),
        at_most("restore from Kafka, s", kept["restore_seconds"], AIM_RESTORE_SECONDS),
        at_most("resident in the restore, MB", kept["restore_resident_mb"], AIM_RESIDENT_MB),
    ]
    print()
    return 0 if all(fine) else 1


def measure(options, *arguments):
    command = [BUILD / "okta-ocsf", "bench", "merge", "--json", "--users", str(options.users), "--memberships",
               str(options.memberships), "--seconds", str(options.seconds), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"okta-ocsf bench merge ended with {done.returncode}")
    return json.loads(done.stdout)


def at_least(what, measured, aim):
    return row(what, measured, aim, measured >= aim)


def at_most(what, measured, aim):
    return row(what, measured, aim, measured <= aim)


def row(what, measured, aim, holds):
    print(f"{what:<34}{measured:>10,.0f}{aim:>10,}{measured / aim:>8.2f}{'' if holds else '  missed'}")
    return holds


if __name__ == "__main__":
    sys.exit(main())
