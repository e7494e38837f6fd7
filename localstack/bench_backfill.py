#!/usr/bin/env python3
"""The past of a large simulated org's log at 120 calls a minute, in accelerated time, beside its floor; run by `make bench`.

The floor is arithmetic: one call for every 1,000 events, at the calls that the limit and --keep-free permit. The org
counts what it was asked for and what it refused. What is read is counted and not landed, so that the limit is what binds
and not this machine's disk; then a smaller past is landed, folded and published in files, as fast as that goes.
"""

import argparse
import math
import os
import pathlib
import sys
import tempfile

from bench_org import get, limits_file, run, running_org

LIMIT, KEPT_FREE = 120, 2
AIM_WALL, AIM_QUOTA = 1.03, 0.98


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=int(os.environ.get("BENCH_BACKFILL_DAYS", "3")))
    parser.add_argument("--per-day", type=int, default=1_000_000)
    parser.add_argument("--clock-rate", type=float, default=float(os.environ.get("BENCH_BACKFILL_CLOCK_RATE", "20")))
    parser.add_argument("--landed", type=int, default=100_000, help="events of the past that is landed; 0 for none")
    options = parser.parse_args()
    fine = quota(options)
    if options.landed:
        fine &= landed(options)
    return 0 if fine else 1


def quota(options):
    rate = options.clock_rate
    with tempfile.TemporaryDirectory() as folder:
        limits = limits_file(folder, [{"path": "/api/v1/logs", "limit": LIMIT}])
        # 900 ms is what public collectors measured for a page of 1,000 events.
        pace = ["--limits", limits, "--clock-rate", rate, "--latency-ms", 900]
        with running_org([*past(options.days, options.per_day), *pace]) as url:
            print(f"a past of {options.days} days with {options.per_day:,} events on each, {LIMIT} calls a minute, "
                  f"{KEPT_FREE} of them kept free, at {rate:g} times the pace of the clock", flush=True)
            since = ["--org", "acme", "--since", f"{options.days}d", "--keep-free", KEPT_FREE]
            report, peak, cpu = run("backfill", folder, url, [*since, "--count-only", "--clock-rate", rate])
            usage = get(url, "/_org/usage")
            events = get(url, f"/_org/history/count?since={report['since']}&until={report['until']}")["events"]
    bucket = next(bucket for bucket in usage["buckets"] if bucket["path"] == "/api/v1/logs")
    permitted = LIMIT - KEPT_FREE
    least = math.ceil(events / 1_000)
    minutes = report["elapsed_ms"] / 60_000
    # The last window is not used up, as nothing is left to do. Of many windows the org tells only the sum.
    recent = [window["calls"] for window in bucket["recent"]][:-1]
    calls, windows = (sum(recent), len(recent)) if bucket["windows"] == len(recent) + 1 else (bucket["calls"], bucket["windows"])
    use = calls / (permitted * windows) if windows else 0
    refused = bucket["rejected"] + usage["too_concurrent"]
    wall = minutes / (least / permitted)
    print(f"  events read / happened: {report['events']:,} / {events:,}; {report['same']} of {report['slices']} slices the "
          f"same the second time, {report['expired']} not kept long enough by Okta to be asked for again")
    print(f"  calls made / fewest: {bucket['calls']:,} / {least:,} = {bucket['calls'] / least:.3f}")
    print(f"  time / floor: {minutes:.1f} / {least / permitted:.1f} min = {wall:.3f} (aim: at most {AIM_WALL}); of all "
          f"{LIMIT} calls {minutes / (least / LIMIT):.3f}")
    print(f"  quota used: {use:.1%} of {permitted} calls a minute in {windows} windows (aim: at least {AIM_QUOTA:.0%})")
    print(f"  refused (429): {refused} (aim: 0)")
    print(f"  {events / minutes:,.0f} events a minute of the org's time; {cpu / max(events, 1) * 1e6:.1f} µs of CPU an event, "
          f"{peak:.0f} MiB resident at most\n", flush=True)
    verified = report["same"] + report["expired"] == report["slices"] and not report["differing"] + report["lost"]
    whole = report["outcome"] == "read" and report["events"] == events and verified
    return wall <= AIM_WALL and use >= AIM_QUOTA and refused == 0 and whole


def landed(options):
    with tempfile.TemporaryDirectory() as folder:
        limits = limits_file(folder, [{"path": "*", "limit": 1_000_000}])
        with running_org([*past(1, options.landed), "--limits", limits]) as url:
            report, peak, cpu = run("backfill", folder, url, ["--org", "acme", "--since", "1d"])
        lines = sum(count_lines(path) for path in pathlib.Path(folder, "data", "output").iterdir())
    seconds = report["elapsed_ms"] / 1_000
    print(f"landed in the embedded log as fast as it goes: {report['events']:,} events in {seconds:.1f} s, "
          f"{report['events'] / seconds:,.0f} events/s; {lines:,} records published; {cpu / report['events'] * 1e6:.0f} µs of CPU "
          f"an event with folding, mapping and publishing, {peak:.0f} MiB resident at most\n")
    return report["outcome"] == "read" and lines == report["events"]


def past(days, per_day):
    return ["--seconds", 0, "--history-days", days, "--history-per-day", per_day]


def count_lines(path):
    with open(path, "rb") as lines:
        return sum(1 for _ in lines)


if __name__ == "__main__":
    sys.exit(main())
