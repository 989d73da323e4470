"""Make the users of a class from a file with a name a line, and put them into a group.

    JUPYTERHUB_API_TOKEN=... python class_list.py names.txt physics-101

Run it again when the list has changed: who is there already stays, who is no longer on
the list leaves the group and keeps the account. The token needs admin:users, admin:groups
and groups. JUPYTERHUB_API_URL says where the hub is.
"""

import sys
from pathlib import Path

from perijove.wire.client import Conflict, SyncHubClient


def main(file: str, group: str) -> None:
    names = {line.strip().lower() for line in Path(file).read_text().splitlines() if line.strip()}
    with SyncHubClient.from_environment() as hub:
        missing = names - {user.name for user in hub.users()}
        if missing:
            hub.create_users(sorted(missing))
        try:
            members = set(hub.create_group(group).users or [])
        except Conflict:
            members = set(hub.group(group).users or [])
        if names - members:
            hub.add_members(group, sorted(names - members))
        if members - names:
            hub.remove_members(group, sorted(members - names))
    print(f"{len(missing)} new users; {group} has {len(names)} members")


if __name__ == "__main__":
    main(*sys.argv[1:])
