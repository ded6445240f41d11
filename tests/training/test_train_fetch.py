"""Fetching from a local server that behaves like the public one, and like one that breaks."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import DataError, OutputError
from napari_tcgn.training.data.fetch import HER2ST, Source, fetch_her2st


class Server(ThreadingHTTPServer):
    """Serves files of a pretended commit; counts what it sent and can break off."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        rng = np.random.default_rng(0)
        self.files = {
            f"data/{path}": rng.bytes(size)
            for path, size in {
                "ST-cnts/C2.tsv.gz": 70_000, "ST-spotfiles/C2_selection.tsv": 900, "ST-imgs/C/C2/a b.jpg": 900_000,
                "ST-cnts/B1.tsv.gz": 5_000, "ST-spotfiles/B1_selection.tsv": 700, "ST-imgs/B/B1/x.jpg": 8_000,
            }.items()
        }  # fmt: skip
        self.files |= {"README.md": b"words", "data/ST-pat/lbl/B1.tsv": b"other data"}
        self.ids = {path: git_id(content) for path, content in self.files.items()}
        self.asked: list[tuple[str, str | None]] = []
        self.sent = 0
        self.break_after: int | None = None
        self.ranges = True
        self.status: int | None = None

    @property
    def source(self) -> Source:
        root = f"http://127.0.0.1:{self.server_port}"
        return Source(f"{root}/trees/{{commit}}", f"{root}/raw/{{commit}}/{{path}}", "c0ffee")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        from urllib.parse import unquote

        server, wanted = self.server, self.headers.get("Range")
        server.asked.append((self.path, wanted))
        if server.status is not None:
            self.send_error(server.status)
            return
        if self.path == "/trees/c0ffee":
            tree = [{"path": p, "type": "blob", "sha": server.ids[p], "size": len(c)} for p, c in server.files.items()]
            content = json.dumps({"tree": [{"path": "data", "type": "tree", "sha": "x"}, *tree]}).encode()
            wanted = None
        else:
            content = server.files[unquote(self.path).removeprefix("/raw/c0ffee/")]
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if server.break_after is not None and len(body) > server.break_after:
            body = body[: server.break_after]
        server.sent += len(body)  # before it is sent: the client may be done before this thread goes on
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def git_id(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def fetched(server, out) -> dict[str, bytes]:
    return {path: (out / path).read_bytes() for path in server.files if (out / path).is_file()}


def test_everything_that_training_reads_is_fetched_once(server, tmp_path):
    told = []
    files = run_to_end(fetch_her2st(tmp_path, source=server.source), told.append)
    expected = {path: c for path, c in server.files.items() if path.startswith("data/ST-") and "ST-pat" not in path}
    assert fetched(server, tmp_path) == expected
    assert sorted(p.relative_to(tmp_path).as_posix() for p in files) == sorted(expected)
    counts = [step.done for step in told if step.stage.startswith("fetch")]
    assert counts == sorted(counts)
    assert counts[-1] == told[-1].total == sum(map(len, expected.values()))
    before = len(server.asked)
    run_to_end(fetch_her2st(tmp_path, source=server.source))
    assert len(server.asked) == before + 1, "only the list is read again"


@pytest.mark.parametrize("names", [["B"], ["b1"]])
def test_chosen_sections(server, tmp_path, names):
    run_to_end(fetch_her2st(tmp_path, names, server.source))
    assert len(fetched(server, tmp_path)) == 3
    with pytest.raises(DataError, match="no section or patient 'Q9'"):
        run_to_end(fetch_her2st(tmp_path, ["Q9"], server.source))


@pytest.mark.parametrize("ranges", [True, False])
def test_broken_connection_goes_on_where_it_ended(server, tmp_path, ranges):
    server.break_after, server.ranges = 300_000, ranges
    with pytest.raises(DataError, match="after 300000 of 900000 bytes"):
        run_to_end(fetch_her2st(tmp_path, ["C2"], server.source))
    image = "data/ST-imgs/C/C2/a b.jpg"
    assert not (tmp_path / image).exists(), "nothing half-written stands under its final name"
    assert (tmp_path / f"{image}.part").stat().st_size == 300_000
    server.break_after, server.sent = None, 0
    run_to_end(fetch_her2st(tmp_path, ["C2"], server.source))
    assert (tmp_path / image).read_bytes() == server.files[image]
    assert not list(tmp_path.rglob("*.part"))
    assert ("bytes=300000-" in {wanted for _, wanted in server.asked}) is True
    assert (server.sent < 650_000) is ranges, "a server without ranges sends everything again"


def test_changed_file_is_refused_and_fetched_anew(server, tmp_path):
    server.ids["data/ST-cnts/B1.tsv.gz"] = "0" * 40
    with pytest.raises(DataError, match="should have the id 000000000000"):
        run_to_end(fetch_her2st(tmp_path, ["B1"], server.source))
    assert not (tmp_path / "data/ST-cnts/B1.tsv.gz").exists()
    assert not list(tmp_path.rglob("*.part"))
    server.ids["data/ST-cnts/B1.tsv.gz"] = git_id(server.files["data/ST-cnts/B1.tsv.gz"])
    run_to_end(fetch_her2st(tmp_path, ["B1"], server.source))
    (tmp_path / "data/ST-cnts/B1.tsv.gz").write_bytes(b"x" * 5_000)  # damaged on disk, same size
    run_to_end(fetch_her2st(tmp_path, ["B1"], server.source))
    assert fetched(server, tmp_path)["data/ST-cnts/B1.tsv.gz"] == server.files["data/ST-cnts/B1.tsv.gz"]


def test_server_that_does_not_answer(server, tmp_path):
    server.status = 503
    with pytest.raises(DataError, match="503"):
        run_to_end(fetch_her2st(tmp_path, source=server.source))
    away = Source("http://127.0.0.1:9/{commit}", "", "c0ffee")
    with pytest.raises(DataError, match="cannot be fetched"):
        run_to_end(fetch_her2st(tmp_path, source=away))


def test_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        run_to_end(fetch_her2st(tmp_path, ["B1"], server.source))


def test_real_source_is_pinned_to_a_whole_commit():
    assert re.fullmatch(r"[0-9a-f]{40}", HER2ST.commit)
    assert HER2ST.files.startswith("https://")
