"""Stop servers that nobody has used for a while; many at a time.

    JUPYTERHUB_API_TOKEN=... python stop_idle.py 3600

The number is how many seconds without activity are too many. The token needs list:users,
read:servers and delete:servers. As a service of the hub, in its configuration:

    c.JupyterHub.services = [
        {"name": "stop-idle", "command": ["python", "stop_idle.py", "3600", "--every", "60"]}
    ]
"""

import argparse
import asyncio
from datetime import UTC, datetime, timedelta

from perijove.wire.client import HubClient, HubError
from perijove.wire.models import Server

AT_A_TIME = asyncio.Semaphore(10)


async def stop(hub: HubClient, owner: str, server: Server) -> None:
    async with AT_A_TIME:
        try:
            await hub.stop_server(owner, server.name)
            print(f"stopped {server.full_name}", flush=True)
        except HubError as error:
            print(f"{server.full_name}: {error}", flush=True)


async def stop_idle(hub: HubClient, limit: timedelta) -> None:
    now = datetime.now(UTC)
    async with asyncio.TaskGroup() as tasks:
        async for user in hub.users(state="ready"):
            for server in (user.servers or {}).values():
                used = server.last_activity or server.started or now
                if server.ready and now - used >= limit:
                    tasks.create_task(stop(hub, user.name or "", server))


async def main() -> None:
    parser = argparse.ArgumentParser(description="Stop idle servers.")
    parser.add_argument("limit", type=float, help="seconds without activity")
    parser.add_argument("--every", type=float, help="go on, and look again after these seconds")
    args = parser.parse_args()
    async with HubClient.from_environment() as hub:
        while True:
            await stop_idle(hub, timedelta(seconds=args.limit))
            if args.every is None:
                return
            await asyncio.sleep(args.every)


if __name__ == "__main__":
    asyncio.run(main())
