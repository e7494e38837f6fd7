"""Reads the simulated org with Okta's own SDK: what the SDK cannot parse, no client of Okta's could.

Takes the org's address; prints how many users, groups, applications and log events the SDK got.
"""

import asyncio
import json
import os
import sys

from okta.client import Client
from okta.pagination import PaginationHelper

PAGE = 50


async def everything(list_page):
    """All pages of a list, by the cursor in the next link."""
    found, after = [], None
    while True:
        items, response, error = await list_page(after)
        if error:
            raise SystemExit(f"the SDK could not read the list: {error}")
        found.extend(items or [])
        after = next_cursor(response)
        if not after:
            return found


def next_cursor(response):
    headers = response.headers
    links = headers.getall("Link", []) if hasattr(headers, "getall") else [headers.get("Link", "")]
    return PaginationHelper.extract_next_cursor({"Link": ",".join(links)})


async def main(url):
    # The simulated org speaks plain HTTP; the SDK takes that setting from the environment only.
    os.environ["OKTA_TESTING_TESTINGDISABLEHTTPSCHECK"] = "true"
    client = Client({"orgUrl": url, "token": os.environ.get("OKTA_ORG_TOKEN", "sim-token")})
    users = await everything(lambda after: client.list_users(limit=PAGE, after=after))
    groups = await everything(lambda after: client.list_groups(limit=PAGE, after=after))
    apps = await everything(lambda after: client.list_applications(limit=PAGE, after=after))
    events, _, error = await client.list_log_events(limit=PAGE)
    if error:
        raise SystemExit(f"the SDK could not read the log: {error}")
    assert all(user.id.startswith("00u") and user.profile.login for user in users)
    assert all(group.profile and group.id.startswith("00g") for group in groups)
    assert all(app.id.startswith("0oa") and app.sign_on_mode for app in apps)
    assert len({user.id for user in users}) == len(users)
    print(json.dumps({"users": len(users), "groups": len(groups), "apps": len(apps), "events": len(events)}))


asyncio.run(main(sys.argv[1]))
