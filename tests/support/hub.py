"""A server that plays a hub of models, also a wrong, slow and cut-off one."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from napari_tcgn.hub import ModelEntry


class HubServer(ThreadingHTTPServer):
    """Serves files as /REPO/resolve/COMMIT/NAME.

    Attributes
    ----------
    files : dict of str to bytes
        By path.
    break_after : int or None
        Bytes after which a connection ends.
    status : int or None
        Answered to everything.
    page : bool
        Answer with a web page, as a proxy that wants a login does.
    elsewhere : str
        Address that files lie at, to which it refers.
    gated : bool
        Refuse who has not logged in.
    seen : list of (path, authorisation, range)
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.break_after: int | None = None
        self.status: int | None = None
        self.page = False
        self.elsewhere = ""
        self.gated = False
        self.seen: list[tuple[str, str | None, str | None]] = []

    @property
    def address(self) -> str:
        """Where it is, on this machine."""
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, folder: Path, entry: ModelEntry) -> None:
        """Serve the files of a packed model as those of the entry's commit."""
        for file in entry.files:
            self.files[f"/{entry.repo}/resolve/{entry.commit}/{file.name}"] = (folder / file.name).read_bytes()


class _Handler(BaseHTTPRequestHandler):
    server: HubServer

    def do_HEAD(self) -> None:
        """What the hub's own client asks first."""
        server, content = self.server, self.server.files.get(unquote(self.path))
        server.seen.append((self.path, self.headers.get("Authorization"), None))
        if server.gated and not self.headers.get("Authorization"):
            self.send_response(401)
            self.send_header("X-Error-Code", "GatedRepo")
        elif content is None:
            self.send_response(404)
            known = any(self.path.rpartition("/")[0] == path.rpartition("/")[0] for path in server.files)
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
        else:
            self.send_response(server.status or 200)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", self.path.split("/")[4])
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.seen.append((self.path, self.headers.get("Authorization"), asked))
        if server.status is not None:
            self.send_error(server.status)
            return
        if server.elsewhere:
            self.send_response(302)
            self.send_header("Location", server.elsewhere + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = b"<!DOCTYPE html><html>log in</html>" if server.page else server.files.get(unquote(self.path))
        if content is None:
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0  # type: ignore[index]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: server.break_after])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Give a running server."""
    server = HubServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
