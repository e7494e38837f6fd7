#!/usr/bin/env python3
"""The mapping beside a floor, in one run; run by `make bench`.

The floor is what the plainest program does with the same bytes: a borrowed, typed serde_json parse, and the
serialisation of one fixed record of the same size as the mapping writes on average. Rounds alternate, because other
work on the machine comes and goes. The result is a ratio; the absolute figures are this machine's.

The events are the inputs of the golden tests, one of every kind; give a file with one LogEvent a line for your own.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
AIM = 0.8
FIGURES = re.compile(r"(\d+) events/s ([\d.]+) MB/s (\d+) B/event")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", help="events, one LogEvent a line")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("BENCH_SECONDS", "3")))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", "3")))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        events = options.file or golden_events(pathlib.Path(folder) / "events.ndjson")
        contestants = {
            "floor": [BUILD / "examples" / "bare-json", events, str(options.seconds)],
            "normalize": [BUILD / "okta-ocsf", "bench", "normalize", events, "--seconds", str(options.seconds)],
        }
        rates = {name: [] for name in contestants}
        for _ in range(options.rounds):
            for name, command in contestants.items():
                line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
                print(line, flush=True)
                rates[name].append(int(FIGURES.search(line)[1]))
    median = {name: statistics.median(values) for name, values in rates.items()}
    ratio = median["normalize"] / median["floor"]
    print(f"\nnormalize: {ratio:.2f} of the floor (aim: at least {AIM}); medians {median['normalize']:.0f} and "
          f"{median['floor']:.0f} events/s on one thread\n")
    return 0 if ratio >= AIM else 1


def golden_events(path):
    """One event a line, without the spaces that people want."""
    inputs = sorted((ROOT / "tests" / "golden").glob("*.in.json"))
    events = [json.loads(file.read_text()) for file in inputs]
    small = [event for event in events if len(event.get("target") or []) < 50]
    path.write_text("".join(json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n" for event in small))
    return path


if __name__ == "__main__":
    sys.exit(main())
