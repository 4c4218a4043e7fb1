"""A Hub that misbehaves on purpose: what huggingface_hub and `datasets` need of huggingface.co, on loopback.

    python -m sql_rl.testing.hub_server --token hf_x --owner me

creates repositories, takes large files (git-lfs, basic transfer), commits, and gives all of it back, without Xet.
Point HF_ENDPOINT at it. Faults meet the requests that they name, each as often as it says, in the order given.
"""

import argparse
import base64
import contextlib
import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web
from huggingface_hub import DatasetCard

from sql_rl.testing.hub_store import Commit, ConflictError, Repo, Store, is_large, oid_of, tree
from sql_rl.testing.serving import in_a_thread, listen, serve_until_killed


@dataclass(slots=True)
class Fault:
    """What meets the next `times` requests whose 'METHOD /path' the pattern finds; status 0 cuts the connection.

    after: the request does its work before that, so that only the answer is lost.
    """

    pattern: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    after: bool = False


@dataclass(slots=True)
class HubServer:
    """One server. token: the only one it knows, which belongs to `owner`; role: what that token may do.

    requests: 'METHOD /path?query' and body of each, for tests to look at; uploads: SHA-256 of each large file taken.
    """

    token: str = "hf_test"
    owner: str = "me"
    role: str = "write"
    store: Store = field(default_factory=Store)
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator["HubServer"]:
        """Serves from a thread of its own, on a free port of loopback, until the block ends."""
        with in_a_thread(self.start):
            yield self

    async def start(self) -> web.AppRunner:
        """Opens the port (`port`, or a free one) in the running loop."""
        app = web.Application(client_max_size=2**30, middlewares=[self._gate])
        repo = "/api/{kind:models|datasets}/{owner}/{name}"
        files = "/{prefix:(?:datasets/)?}{owner}/{name}"
        app.add_routes(
            [
                web.get("/api/whoami-v2", self._whoami),
                web.post("/api/repos/create", self._create),
                web.post("/api/validate-yaml", self._valid),
                web.get(repo, self._info),
                web.get(repo + "/revision/{revision}", self._info),
                web.get(repo + "/auth-check/write", self._may_write),
                web.get(repo + "/refs", self._refs),
                web.get(repo + "/tree/{revision}", self._tree),
                web.get(repo + "/tree/{revision}/{folder:.*}", self._tree),
                web.post(repo + "/paths-info/{revision}", self._paths),
                web.post(repo + "/preupload/{revision}", self._preupload),
                web.post(repo + "/commit/{revision}", self._commit),
                web.post(files + ".git/info/lfs/objects/batch", self._batch),
                web.put("/lfs/{oid}", self._upload),
                web.post("/lfs/verify", self._verify),
                web.get(files + "/resolve/{revision}/{path:.*}", self._resolve),
            ]
        )
        runner = await listen(app, self.port)
        self.port = runner.addresses[0][1]
        return runner

    def repo(self, name: str, kind: str = "dataset") -> Repo:
        return self.store.repos[kind, name]

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append((f"{request.method} {request.path_qs}", await request.read()))
        fault = next(
            (f for f in self.faults if f.times and re.search(f.pattern, f"{request.method} {request.path}")), None
        )
        if fault is None:
            return await handler(request)
        fault.times -= 1
        if fault.after:
            await handler(request)
        if fault.status == 0:
            request.transport.abort()
            return web.Response()
        return _error(fault.status, HTTPStatus(fault.status).phrase, headers=fault.headers)

    def _known(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self.token}"

    def _writable(self, request: web.Request, owner: str) -> bool:
        return self._known(request) and self.role == "write" and owner == self.owner

    async def _whoami(self, request: web.Request) -> web.Response:
        if not self._known(request):
            return _error(401, "Invalid credentials in Authorization header")
        token = {"displayName": "a token", "role": self.role}
        user = {"type": "user", "name": self.owner, "orgs": [], "auth": {"type": "access_token", "accessToken": token}}
        return web.json_response(user)

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        owner, kind = asked["organization"] or self.owner, asked.get("type", "model")
        if not self._writable(request, owner):
            return _error(403, f"You don't have the rights to create a {kind} under the namespace {owner!r}")
        name = f"{owner}/{asked['name']}"
        status = 409 if (kind, name) in self.store.repos else 200
        repo = self.store.repos.setdefault((kind, name), Repo(private=asked.get("visibility") == "private"))
        prefix = "datasets/" if kind == "dataset" else ""
        content = {"url": f"{self.url}/{prefix}{name}", "name": name, "private": repo.private}
        return web.json_response(
            content | ({"error": "You already created this repo"} if status == 409 else {}), status=status
        )

    async def _valid(self, request: web.Request) -> web.Response:
        DatasetCard((await request.json())["content"])
        return web.json_response({"errors": [], "warnings": []})

    def _found(self, request: web.Request) -> tuple[Repo, Commit]:
        """The repository and the version that a request names. Raises the answer of a Hub that has none."""
        at = request.match_info
        kind = at["kind"].removesuffix("s") if "kind" in at else "dataset" if at["prefix"] else "model"
        repo = self.store.repos.get((kind, f"{at['owner']}/{at['name']}"))
        if repo is None or (repo.private and not self._known(request)):
            raise _refusal(web.HTTPNotFound, "Repository not found", "RepoNotFound")
        commit = repo.at(at.get("revision", "main"))
        if commit is None:
            raise _refusal(web.HTTPNotFound, "Revision not found", "RevisionNotFound")
        return repo, commit

    async def _info(self, request: web.Request) -> web.Response:
        repo, commit = self._found(request)
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        card = commit.files.get("README.md", b"").decode()
        return web.json_response(
            {
                "_id": name,
                "id": name,
                "sha": commit.oid,
                "private": repo.private,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "lastModified": "2026-01-01T00:00:00.000Z",
                "cardData": DatasetCard(card).data.to_dict() if card else None,
                "siblings": [{"rfilename": path} for path in sorted(commit.files)],
            }
        )

    async def _may_write(self, request: web.Request) -> web.Response:
        self._found(request)
        may = self._writable(request, request.match_info["owner"])
        return web.json_response({}) if may else _error(403, "You don't have write access to this repository")

    async def _refs(self, request: web.Request) -> web.Response:
        repo, _ = self._found(request)
        head = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head.oid}
        return web.json_response({"branches": [head], "tags": [], "converts": []})

    async def _tree(self, request: web.Request) -> web.Response:
        _, commit = self._found(request)
        folder = request.match_info.get("folder", "").strip("/")
        entries = tree(commit.files, folder, request.query.get("recursive", "").lower() in ("true", "1"))
        if folder and not entries:
            return _error(404, f"{folder} does not exist", "EntryNotFound")
        return web.json_response(entries)

    async def _paths(self, request: web.Request) -> web.Response:
        _, commit = self._found(request)
        if request.content_type == "application/json":
            paths = (await request.json())["paths"]
        else:
            paths = (await request.post()).getall("paths", [])
        known = {entry["path"]: entry for entry in tree(commit.files, "", recursive=True)}
        return web.json_response([known[path.strip("/")] for path in paths if path.strip("/") in known])

    async def _preupload(self, request: web.Request) -> web.Response:
        _, commit = self._found(request)
        if not self._writable(request, request.match_info["owner"]):
            return _error(403, "You don't have write access to this repository")
        modes = []
        for file in (await request.json())["files"]:
            path, content = file["path"], commit.files.get(file["path"])
            mode = {"path": path, "uploadMode": "lfs" if is_large(path) else "regular", "shouldIgnore": False}
            modes.append(mode | ({} if content is None else {"oid": oid_of(path, content)}))
        return web.json_response({"files": modes})

    async def _batch(self, request: web.Request) -> web.Response:
        if not self._writable(request, request.match_info["owner"]):
            return _error(403, "You don't have write access to this repository")
        objects = []
        for wanted in (await request.json())["objects"]:
            actions = {
                "upload": {"href": f"{self.url}/lfs/{wanted['oid']}"},
                "verify": {"href": f"{self.url}/lfs/verify"},
            }
            objects.append(wanted if wanted["oid"] in self.store.large else wanted | {"actions": actions})
        return web.json_response({"transfer": "basic", "objects": objects})

    async def _upload(self, request: web.Request) -> web.Response:
        oid, content = request.match_info["oid"], await request.read()
        if oid_of(".parquet", content) != oid:
            return _error(400, "the content is not what its SHA-256 says")
        self.uploads.append(oid)
        self.store.large[oid] = content
        return web.Response()

    async def _verify(self, request: web.Request) -> web.Response:
        asked = await request.json()
        there = len(self.store.large.get(asked["oid"], b"")) == asked["size"]
        return web.json_response({}) if there else _error(404, "not uploaded")

    async def _commit(self, request: web.Request) -> web.Response:
        repo, _ = self._found(request)
        if not self._writable(request, request.match_info["owner"]):
            return _error(403, "You don't have write access to this repository")
        lines = [json.loads(line) for line in (await request.read()).splitlines()]
        header, changed, gone = {}, {}, []
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "header":
                    header = value
                case "file":
                    changed[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    changed[value["path"]] = self.store.large[value["oid"]]
                case "deletedFile":
                    gone.append(value["path"])
        try:
            commit = repo.add(header["summary"], changed, gone, header.get("parentCommit"))
        except ConflictError:
            return _error(412, "A commit has happened since. Please refresh and try again.")
        at = request.match_info
        prefix = "datasets/" if at["kind"] == "datasets" else ""
        url = f"{self.url}/{prefix}{at['owner']}/{at['name']}/commit/{commit.oid}"
        return web.json_response({"success": True, "commitOid": commit.oid, "commitUrl": url, "hookOutput": ""})

    async def _resolve(self, request: web.Request) -> web.Response:
        _, commit = self._found(request)
        path = request.match_info["path"]
        content = commit.files.get(path)
        headers = {"X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
        if content is None:
            return _error(404, f"{path} does not exist", "EntryNotFound", headers)
        headers["ETag"] = f'"{oid_of(path, content)}"'
        start, end, _ = request.http_range.indices(len(content)) if "Range" in request.headers else (0, len(content), 1)
        if "Range" in request.headers:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        status = 206 if "Range" in request.headers else 200
        return web.Response(body=content[start:end], status=status, headers=headers)


def _error(status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> web.Response:
    said = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {}) | (headers or {})
    return web.json_response({"error": message}, status=status, headers=said)


def _refusal(kind: type[web.HTTPException], message: str, code: str) -> web.HTTPException:
    return kind(
        text=json.dumps({"error": message}),
        headers={"X-Error-Message": message, "X-Error-Code": code},
        content_type="application/json",
    )


def main() -> None:
    """Serves until it is killed; prints its URL first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--token", default="hf_test", help="the token that it knows")
    parser.add_argument("--owner", default="me", help="whose token that is")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()
    serve_until_killed(HubServer(token=options.token, owner=options.owner, port=options.port))


if __name__ == "__main__":
    main()
