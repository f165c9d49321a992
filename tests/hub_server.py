"""A Hub on this machine: what of the Hub's answers a download and an upload need, by its own library."""

from __future__ import annotations

import base64
import http.server
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.ThreadingHTTPServer):
    """A Hub with one model, whose files are in a folder, and data sets, which have a folder for each branch."""

    repository = ""
    files: Path
    token = ""  # that may write; empty: nothing may be written
    breaks = 0  # how often the weights' connection breaks off half way
    claimed: dict[str, int]  # sizes that are not true
    data_sets: dict[str, dict[str, Path]]  # by name and branch
    gated: frozenset[str] = frozenset()  # data sets that only a token gets
    page = 1000  # files in an answer that lists them

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ranges: list[str] = []
        self.gets: list[str] = []
        self.made: list[dict[str, Any]] = []
        self.claimed = {}
        self.data_sets = {}


class Handler(http.server.BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._file(send=False)

    def do_GET(self) -> None:
        if self.path.startswith(("/api/datasets/", "/datasets/")):
            self._data_set()
        elif not self.path.startswith("/api/models/"):
            self.server.gets.append(self.path.rsplit("/", 1)[-1])
            self._file(send=True)
        elif not self.path.startswith(f"/api/models/{self.server.repository}"):
            self._refuse("RepoNotFound")
        else:
            here = {str(file.relative_to(self.server.files)): file for file in self.server.files.rglob("*.*")}
            files = [
                {"rfilename": name, "size": self.server.claimed.get(name, file.stat().st_size)}
                for name, file in here.items()
            ]
            self._json({"id": self.server.repository, "sha": COMMIT, "siblings": files})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        about = f"/api/models/{self.server.repository}"
        if self.path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._refuse("", 403)
        elif self.path == "/api/repos/create":
            self.server.made.append(json.loads(body))
            self._json({"url": f"http://{self.headers['Host']}/{self.server.repository}", "id": self.server.repository})
        elif self.path.startswith(f"{about}/preupload/"):
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._json({"files": files})
        elif self.path.startswith(f"{about}/commit/"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    path = self.server.files / line["value"]["path"]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(base64.b64decode(line["value"]["content"]))
            self._json(
                {
                    "success": True,
                    "commitOid": COMMIT,
                    "commitUrl": f"http://{self.headers['Host']}/{self.server.repository}/commit/{COMMIT}",
                }
            )
        else:
            self._refuse("EntryNotFound")

    def _data_set(self) -> None:
        """Answer `/api/datasets/NAME/tree/BRANCH` or `/datasets/NAME/resolve/BRANCH/FILE`."""
        self.server.gets.append(self.path)
        about, _, query = self.path.partition("?")
        name, what, rest = re.split("/(tree|resolve)/", about.split("datasets/", 1)[1], maxsplit=1)
        branch, _, path = rest.partition("/")
        if name not in self.server.data_sets:
            self._refuse("RepoNotFound", 401)
        elif (folder := self.server.data_sets[name].get(unquote(branch))) is None:
            self._refuse("RevisionNotFound")
        elif what == "tree":
            files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
            start = int(dict(parse_qsl(query)).get("cursor", 0))
            end = start + self.server.page
            here = f"http://{self.headers['Host']}{about}?recursive=true&cursor={end}"
            listed: list[dict[str, Any]] = [{"type": "directory", "path": "default", "oid": COMMIT}]
            for file in files[start:end]:
                size = self.server.claimed.get(file.name, file.stat().st_size)
                listed.append({"type": "file", "path": str(file.relative_to(folder)), "size": size, "oid": COMMIT})
            self._json(listed, {"Link": f'<{here}>; rel="next"'} if end < len(files) else {})
        elif name in self.server.gated and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._refuse("GatedRepo", 401)
        else:
            self._answer((folder / unquote(path)).read_bytes(), {})

    def _json(self, answer: Any, headers: dict[str, str] | None = None) -> None:
        self._answer(json.dumps(answer).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _file(self, send: bool) -> None:
        top = f"/{self.server.repository}/resolve/"
        path = self.server.files / self.path.removeprefix(top).partition("/")[2]
        if not self.path.startswith(top) or not path.is_file():
            self._refuse("EntryNotFound")
            return
        content = path.read_bytes()
        headers = {"ETag": f'"{path.name}-{len(content)}"', "X-Repo-Commit": COMMIT}
        asked = self.headers.get("Range")
        if asked and send:
            self.server.ranges.append(asked)
            content = content[int(asked.removeprefix("bytes=").split("-")[0]) :]
        breaks = send and self.server.breaks > 0 and path.name == "model.safetensors"
        self.server.breaks -= breaks
        self._answer(content, headers, 206 if asked and send else 200, send, len(content) // 2 if breaks else None)

    def _answer(
        self, body: bytes, headers: dict[str, str], status: int = 200, send: bool = True, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if send:
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def _refuse(self, code: str, status: int = 404) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", "not here")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""
