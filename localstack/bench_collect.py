#!/usr/bin/env python3
"""A snapshot of a large simulated org at Workforce limits, in accelerated time, beside its floor; run by `make bench`.

The floor is arithmetic: the fewest calls that read everything once (one for every list, one for every page of it), and
for each of Okta's rate limits how many minutes these take at the calls that it permits. The slowest limit is the floor
of the whole. The org counts what it was asked for and what it refused; the ratios are measured against that.

Then the memory of a first snapshot: of 10,000 users, and of ten times as many in the run above.
"""

import argparse
import collections
import math
import os
import subprocess
import sys
import tempfile
import urllib.request

from bench_org import get, limits_file, run, running_org

AIM_WALL, AIM_QUOTA, AIM_MEMORY_MIB = 1.03, 0.98, 200


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=int(os.environ.get("BENCH_USERS", "100000")))
    parser.add_argument("--groups", type=int, default=5_000)
    parser.add_argument("--apps", type=int, default=500)
    parser.add_argument("--clock-rate", type=float, default=float(os.environ.get("BENCH_CLOCK_RATE", "30")))
    options = parser.parse_args()
    fine = quota(options)
    fine &= memory()
    return 0 if fine else 1


def quota(options):
    """The large org at its limits: time, quota and calls against their floors."""
    rate = options.clock_rate
    org = ["--users", options.users, "--groups", options.groups, "--apps", options.apps]
    # The latency that public collectors measured at Okta.
    org += ["--limits", "workforce", "--clock-rate", rate, "--latency-ms", 250]
    with tempfile.TemporaryDirectory() as folder, running_org(org) as url:
        print(f"snapshot of {options.users:,} users, {options.groups:,} groups, {options.apps:,} apps, at {rate:g} times "
              "the pace of the clock", flush=True)
        report, peak = collect(folder, url, ["--clock-rate", rate])
        usage = get(url, "/_org/usage")
        least = least_calls(url, report)
    made = sum(bucket["calls"] for bucket in usage["buckets"])
    refused = sum(bucket["rejected"] for bucket in usage["buckets"]) + usage["too_concurrent"]
    minutes = report["elapsed_ms"] / 60_000
    print(f"\n  {'limit':<18}{'calls':>9}{'least':>9}{'a minute':>10}{'floor, min':>12}{'use':>8}")
    floors, uses = {}, {}
    for bucket in usage["buckets"]:
        path, share = bucket["path"], bucket["share"]
        if not bucket["calls"]:
            continue
        floors[path] = least[path] / share
        uses[path] = bucket["calls"] / (share * bucket["windows"])
        for window in bucket["recent"]:
            if window["rejected"]:
                print(f"  {path}: {window['rejected']} refused in the window at {window['opened']} of {window['calls']} calls")
        print(f"  {path:<18}{bucket['calls']:>9,}{least[path]:>9,}{share:>10.0f}{floors[path]:>12.1f}{uses[path]:>8.1%}")
    slowest = max(floors, key=floors.get)
    # Those that would keep the snapshot from ending sooner if it were not for the slowest.
    binding = [path for path in floors if floors[path] > 0.5 * floors[slowest]]
    use = min(uses[path] for path in binding)
    wall = minutes / floors[slowest]
    total = sum(least.values())
    print(f"\n  calls made / fewest: {made:,} / {total:,} = {made / total:.3f}")
    print(f"  time / floor: {minutes:.1f} / {floors[slowest]:.1f} min = {wall:.3f} (aim: at most {AIM_WALL})")
    print(f"  quota used in the limits that bind ({', '.join(binding)}): {use:.1%} (aim: at least {AIM_QUOTA:.0%})")
    print(f"  refused (429): {refused} (aim: 0)")
    print(f"  resident at most: {peak:.0f} MiB")
    incomplete = [row for row in report["collections"] if row["verdict"] not in ("complete", "feature_off")]
    print(f"  not complete: {[row['collection'] for row in incomplete]}\n", flush=True)
    return wall <= AIM_WALL and use >= AIM_QUOTA and refused == 0 and not incomplete


def memory():
    """A first snapshot of an org with more quota than any: what it holds when it goes as fast as it can."""
    with tempfile.TemporaryDirectory() as folder:
        limits = limits_file(folder, [{"path": "*", "limit": 1_000_000}])
        with running_org(["--users", 10_000, "--groups", 500, "--apps", 100, "--limits", limits]) as url:
            report, peak = collect(folder, url, [])
    print(f"first snapshot of 10,000 users as fast as it goes: {peak:.0f} MiB resident at most (aim: at most "
          f"{AIM_MEMORY_MIB}), {sum(row['calls'] for row in report['collections']):,} calls in "
          f"{report['elapsed_ms'] / 1000:.1f} s\n")
    return peak <= AIM_MEMORY_MIB


def collect(folder, url, arguments):
    """Runs `okta-ocsf collect`; its report, and the most memory that it had, in MiB."""
    report, peak, _ = run("collect", folder, url, arguments, stderr=subprocess.DEVNULL)
    return report, peak


def least_calls(url, report):
    """The fewest calls for each rate limit: one for each list and each further full page of it."""
    calls = {row["collection"]: row["calls"] for row in report["collections"]}
    objects = {row["collection"]: row["objects"] for row in report["collections"]}
    members = sizes(url, "group-members", "left")
    users = sizes(url, "app-users", "left")
    pages = lambda lists, count, size: sum(max(1, math.ceil(n / size)) for n in lists) + count - len(lists)
    least = collections.Counter()
    least["/api/v1/users"] = math.ceil(objects["users"] / 200)
    least["/api/v1/groups*"] = math.ceil(objects["groups"] / 200) + pages(members, objects["groups"], 1000) + calls["group_rules"]
    least["/api/v1/apps*"] = math.ceil(objects["apps"] / 200) + pages(users, objects["apps"], 500) + objects["apps"]
    least["/api/v1/devices*"] = math.ceil(objects["devices"] / 200)
    least["/oauth2/v1/clients*"] = calls["oauth_clients"] + calls["client_roles"]
    # A call for each user, and for the many small collections what was made: none of their lists has a second page.
    known = {"users", "groups", "group_members", "group_rules", "apps", "app_users", "app_groups", "devices", "oauth_clients",
             "client_roles", "user_factors"}
    least["*"] = objects["users"] + sum(count for name, count in calls.items() if name not in known)
    # The question for the engine is another call, and rules of groups are read by the bucket of single groups.
    return collections.defaultdict(int, least)


def sizes(url, name, key):
    """How many objects each list has, by the org's own account."""
    counts = collections.Counter()
    needle = f'"{key}":"'
    with urllib.request.urlopen(f"{url}/_org/truth/{name}") as lines:
        for line in lines:
            text = line.decode()
            at = text.index(needle) + len(needle)
            counts[text[at:text.index('"', at)]] += 1
    return list(counts.values())


if __name__ == "__main__":
    sys.exit(main())
