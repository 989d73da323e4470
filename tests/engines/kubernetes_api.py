"""A Kubernetes API server in memory, on loopback, with a kubelet that runs pods as processes.

It knows what KubeSpawner and its proxy use: pods, claims, secrets, services, events,
namespaces and ingresses; lists with label and field selectors, watches, conflicts, and
the checks of names and labels that a real one makes. A pod's first container becomes a
process of this machine with the container's arguments and environment, and listens on
127.0.0.1; what the pod mounts, limits and asks of nodes is kept, and not acted on.
"""

import asyncio
import json
import os
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

Object = dict[str, Any]

KINDS = {
    "pods": "Pod",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "secrets": "Secret",
    "services": "Service",
    "events": "Event",
    "namespaces": "Namespace",
    "ingresses": "Ingress",
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


class Refused(Exception):
    """An answer of the API that is no success."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster:
    """The stored objects and their history. All methods but the last run in one event loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.history: list[tuple[int, str, str, Object]] = []
        self.created: list[Object] = []
        self.version = 100
        self.changed = asyncio.Condition()
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.run_pods = True

    # -- storing -------------------------------------------------------------------------
    async def record(self, change: str, kind: str, stored: Object) -> None:
        """Note a change, for those who watch."""
        self.version += 1
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, change, kind, deepcopy(stored)))
        async with self.changed:
            self.changed.notify_all()

    async def create(self, kind: str, namespace: str, body: Object) -> Object:
        """Store a new object. Raises Refused."""
        _check(kind, body)
        name = body["metadata"]["name"]
        key = (kind, namespace, name)
        if key in self.objects:
            raise Refused(409, "AlreadyExists", f'{kind} "{name}" already exists')
        self.created.append(deepcopy({**body, "kind": KINDS[kind]}))
        stored = self.objects[key] = deepcopy(body)
        stored["metadata"] |= {
            "namespace": namespace,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": _now(),
        }
        if kind == "pods":
            stored["status"] = {"phase": "Pending"}
        await self.record("ADDED", kind, stored)
        if kind == "pods" and self.run_pods:
            self.spawn(self.run(stored))
        return stored

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """The stored object. Raises Refused."""
        try:
            return self.objects[kind, namespace, name]
        except KeyError:
            raise Refused(404, "NotFound", f'{kind} "{name}" not found') from None

    async def delete(self, kind: str, namespace: str, name: str) -> Object:
        """Remove an object; a pod's process is ended first."""
        stored = self.get(kind, namespace, name)
        if kind == "pods":
            if "deletionTimestamp" not in stored["metadata"]:
                stored["metadata"]["deletionTimestamp"] = _now()
                await self.record("MODIFIED", kind, stored)
                self.spawn(self.end(stored))
            return stored
        del self.objects[kind, namespace, name]
        await self.record("DELETED", kind, stored)
        return stored

    def spawn(self, work: Any) -> None:
        """Go on behind the request."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # -- the kubelet ---------------------------------------------------------------------
    async def tell(self, pod: Object, reason: str, message: str) -> None:
        """Make an event about a pod."""
        meta = pod["metadata"]
        name = f"{meta['name']}.{uuid.uuid4().hex[:12]}"
        await self.create(
            "events",
            meta["namespace"],
            {
                "metadata": {"name": name},
                "involvedObject": {"kind": "Pod", "name": meta["name"], "uid": meta["uid"]},
                "reason": reason,
                "message": message,
                "type": "Normal",
                "firstTimestamp": _now(),
                "lastTimestamp": _now(),
            },
        )

    async def run(self, pod: Object) -> None:
        """Schedule the pod and run its first container."""
        await self.tell(pod, "Scheduled", "Successfully assigned to node-of-the-tests")
        container = pod["spec"]["containers"][0]
        home = self.folder / pod["metadata"]["uid"]
        home.mkdir()
        variables = {v["name"]: self.value_of(v, pod) for v in container.get("env") or ()}
        await self.tell(pod, "Pulled", f"Container image {container['image']} is there")
        with (home / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(container.get("command") or []),
                *(container.get("args") or []),
                cwd=home,
                env={"PATH": os.defpath, "HOME": str(home), **variables},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes[pod["metadata"]["uid"]] = process
        await self.set_status(pod, "Running", {"running": {"startedAt": _now()}}, ready=True)
        await self.tell(pod, "Started", "Started container notebook")
        code = await process.wait()
        if "deletionTimestamp" not in pod["metadata"]:
            phase = "Failed" if code else "Succeeded"
            state = {"terminated": {"exitCode": code, "reason": "Error", "finishedAt": _now()}}
            await self.set_status(pod, phase, state, ready=False)

    def value_of(self, variable: Object, pod: Object) -> str:
        """A variable's value; from a secret or the pod itself where it says so."""
        source = variable.get("valueFrom")
        if source is None:
            return str(variable.get("value", ""))
        if "fieldRef" in source:
            return str(pod["metadata"].get(source["fieldRef"]["fieldPath"].rpartition(".")[2], ""))
        reference = source["secretKeyRef"]
        secret = self.get("secrets", pod["metadata"]["namespace"], reference["name"])
        return str(secret["stringData"][reference["key"]])

    async def set_status(self, pod: Object, phase: str, state: Object, *, ready: bool) -> None:
        """Publish how the pod is."""
        container = pod["spec"]["containers"][0]
        pod["status"] = {
            "phase": phase,
            "podIP": "127.0.0.1",
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": ready,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }
        await self.record("MODIFIED", "pods", pod)

    async def end(self, pod: Object) -> None:
        """Stop the container, then remove the pod."""
        await self.tell(pod, "Killing", "Stopping container notebook")
        process = self.processes.pop(pod["metadata"]["uid"], None)
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()
        self.objects.pop(("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]), None)
        await self.record("DELETED", "pods", pod)

    async def close(self) -> None:
        """End all processes."""
        for process in self.processes.values():
            if process.returncode is None:
                process.kill()
                await process.wait()
        for task in list(self.tasks):
            task.cancel()

    # -- for tests, from their own thread ---------------------------------------------------
    def named(self, kind: str) -> dict[str, Object]:
        """Objects of a kind by name."""
        found = list(self.objects.items())
        return {name: deepcopy(stored) for (k, _, name), stored in found if k == kind}


def _check(kind: str, body: Object) -> None:
    """The checks that a real API server makes first. Raises Refused."""
    meta = body.get("metadata") or {}
    name = meta.get("name") or ""
    longest = 63 if kind in {"services", "namespaces"} else 253
    if not _NAME.fullmatch(name) or len(name) > longest:
        raise Refused(422, "Invalid", f'{KINDS[kind]} "{name}" is invalid: metadata.name')
    for label, value in (meta.get("labels") or {}).items():
        if not isinstance(value, str) or not _LABEL.fullmatch(value) or len(value) > 63:
            raise Refused(422, "Invalid", f"metadata.labels: {label}: invalid value {value!r}")
    for annotation, value in (meta.get("annotations") or {}).items():
        if not isinstance(value, str):
            raise Refused(400, "BadRequest", f"annotation {annotation} is no string: {value!r}")
    if kind == "pods":
        for container in body["spec"]["containers"]:
            for variable in container.get("env") or ():
                if not isinstance(variable.get("value", ""), str):
                    raise Refused(400, "BadRequest", f"env {variable['name']} is no string")


# -- HTTP -------------------------------------------------------------------------------------
def _matches(stored: Object, labels: str, fields: str) -> bool:
    own = stored["metadata"].get("labels") or {}
    for pair in filter(None, labels.split(",")):
        key, _, value = pair.partition("=")
        if own.get(key) != value.lstrip("="):
            return False
    for pair in filter(None, fields.split(",")):
        path, _, value = pair.partition("=")
        found: Any = stored
        for step in path.split("."):
            found = (found or {}).get(step)
        if found != value.lstrip("="):
            return False
    return True


class Api:
    """The REST API over a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def application(self) -> web.Application:
        """All routes."""
        app = web.Application(middlewares=[_as_status])
        for root in ("/api/v1", "/apis/networking.k8s.io/v1"):
            for prefix in (root, root + "/namespaces/{namespace}"):
                app.router.add_get(prefix + "/{kind}", self.list)
                app.router.add_post(prefix + "/{kind}", self.create)
                app.router.add_get(prefix + "/{kind}/{name}", self.read)
                app.router.add_delete(prefix + "/{kind}/{name}", self.delete)
                app.router.add_patch(prefix + "/{kind}/{name}", self.patch)
        return app

    @staticmethod
    def place(request: web.Request) -> tuple[str, str]:
        """Kind and namespace of the request."""
        kind = request.match_info["kind"]
        if kind not in KINDS:
            raise Refused(404, "NotFound", f"there are no {kind} here")
        return kind, request.match_info.get("namespace", "")

    async def list(self, request: web.Request) -> web.StreamResponse:
        """All that match, or what becomes of them."""
        kind, namespace = self.place(request)
        query = request.query
        selectors = query.get("labelSelector", ""), query.get("fieldSelector", "")

        def wanted(stored: Object) -> bool:
            own = stored["metadata"].get("namespace", "")
            return (not namespace or own == namespace) and _matches(stored, *selectors)

        if query.get("watch", "").lower() == "true":
            return await self.watch(request, kind, wanted)
        items = [o for (k, _, _), o in self.cluster.objects.items() if k == kind and wanted(o)]
        version = str(self.cluster.version)
        return web.json_response(
            {"kind": f"{KINDS[kind]}List", "items": items, "metadata": {"resourceVersion": version}}
        )

    async def watch(self, request: web.Request, kind: str, wanted: Any) -> web.StreamResponse:
        """A stream of changes after ``resourceVersion``."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        seen = int(request.query.get("resourceVersion") or 0)
        try:
            async with asyncio.timeout(float(request.query.get("timeoutSeconds") or 300)):
                while True:
                    news = [entry for entry in self.cluster.history if entry[0] > seen]
                    for version, change, of_kind, stored in news:
                        seen = version
                        if of_kind == kind and wanted(stored):
                            line = json.dumps({"type": change, "object": stored})
                            await response.write(line.encode() + b"\n")
                    async with self.cluster.changed:
                        if self.cluster.version <= seen:
                            await self.cluster.changed.wait()
        except TimeoutError:
            return response

    async def create(self, request: web.Request) -> web.Response:
        """Store a new object."""
        kind, namespace = self.place(request)
        stored = await self.cluster.create(kind, namespace, await request.json())
        return web.json_response(stored, status=201)

    async def read(self, request: web.Request) -> web.Response:
        """One object."""
        kind, namespace = self.place(request)
        return web.json_response(self.cluster.get(kind, namespace, request.match_info["name"]))

    async def delete(self, request: web.Request) -> web.Response:
        """Remove one object."""
        kind, namespace = self.place(request)
        name = request.match_info["name"]
        return web.json_response(await self.cluster.delete(kind, namespace, name))

    async def patch(self, request: web.Request) -> web.Response:
        """Change some members of an object."""
        kind, namespace = self.place(request)
        stored = self.cluster.get(kind, namespace, request.match_info["name"])
        _merge(stored, json.loads(await request.text()))
        await self.cluster.record("MODIFIED", kind, stored)
        return web.json_response(stored)


def _merge(into: Object, change: Object) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value


@web.middleware
async def _as_status(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        found: web.StreamResponse = await handler(request)
    except Refused as error:
        body = {
            "kind": "Status",
            "status": "Failure",
            "reason": error.reason,
            "message": error.message,
            "code": error.status,
        }
        return web.json_response(body, status=error.status)
    return found


@contextmanager
def running_cluster(folder: Path, port: int) -> Iterator[Cluster]:
    """An API server on 127.0.0.1; ``folder / "kubeconfig"`` leads clients to it."""
    started = threading.Event()
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()
    folder.mkdir()
    cluster = Cluster(folder)

    async def serve() -> None:
        runner = web.AppRunner(Api(cluster).application(), shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        started.set()
        await stop.wait()
        await cluster.close()
        await runner.cleanup()

    (folder / "kubeconfig").write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "tests",
                "clusters": [{"name": "tests", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "hub", "user": {"token": "token-of-the-tests"}}],
                "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "hub"}}],
            }
        )
    )
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(20), "the Kubernetes API did not start"
        yield cluster
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
