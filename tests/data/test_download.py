"""Downloads against a server on loopback that can be cut, stubborn, false or gone."""

import concurrent.futures
import hashlib
import http.server
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from beak.data import builtin as builtin_room
from beak.data.builtin import BUILTIN, RemoteFile, get, status
from beak.data.download import download
from beak.data.lock import locked
from beak.errors import DataError, UsageError

CONTENT = bytes(range(256)) * 4096
SHA = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """/whole, /norange (always all of it), /cut (ends early), /false, /endless, else 404."""

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        data = {"/false": CONTENT[::-1], "/endless": CONTENT * 3}.get(self.path, CONTENT)
        if self.path not in ("/whole", "/norange", "/cut", "/false", "/endless"):
            self.send_error(404)
            return
        if asked and self.path != "/norange":
            if first >= len(data):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            data = data[first:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:300_000] if self.path == "/cut" else data)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.asked = []
        served.url = f"http://127.0.0.1:{served.server_port}"
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


@pytest.fixture
def fetch(server, tmp_path):
    def get_from(*paths, sha=SHA, **options):
        urls = [server.url + path for path in paths]
        return download(urls, tmp_path / "a.bin", sha, len(CONTENT), timeout=10, **options)

    return get_from


def test_a_file_comes_whole_and_nothing_else_stays(fetch, tmp_path):
    seen = []
    assert fetch("/whole", progress=lambda *done: seen.append(done)).read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_it_goes_on_where_it_was_cut(fetch, server, tmp_path):
    with pytest.raises(DataError, match="cut off after 300000 of 1048576 bytes"):
        fetch("/cut")
    assert (tmp_path / "a.bin.part").stat().st_size == 300_000
    assert not (tmp_path / "a.bin").exists()
    assert fetch("/whole").read_bytes() == CONTENT
    assert server.asked[-1] == ("/whole", "bytes=300000-")


def test_a_server_that_knows_no_ranges_sends_all_again(fetch, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    assert fetch("/norange").read_bytes() == CONTENT


def test_a_part_that_does_not_fit_is_thrown_away_once(fetch, server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    assert fetch("/whole").read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["bytes=1000-", None]


def test_a_part_that_is_too_long_is_thrown_away(fetch, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"x")
    assert fetch("/whole").read_bytes() == CONTENT


def test_a_false_file_is_never_kept(fetch, tmp_path):
    with pytest.raises(DataError, match="another checksum"):
        fetch("/false")
    assert list(tmp_path.iterdir()) == []


def test_more_than_was_announced_is_not_taken(fetch, tmp_path):
    with pytest.raises(DataError, match="more came than"):
        fetch("/endless")
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_want_a_file_one_gets_it(fetch, server, tmp_path):
    with ThreadPoolExecutor(1) as pool, locked(tmp_path / ".a.bin.lock", wait=True):
        second = pool.submit(fetch, "/whole")
        with pytest.raises(concurrent.futures.TimeoutError):
            second.result(timeout=0.2)
        (tmp_path / "a.bin").write_bytes(CONTENT)
    assert second.result(timeout=10) == tmp_path / "a.bin"
    assert server.asked == []
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_lock_that_is_not_waited_for_says_so_and_frees(tmp_path):
    path = tmp_path / "lock"
    with locked(path, wait=False):
        with pytest.raises(BlockingIOError), locked(path, wait=False):
            pass
        assert path.exists()
    assert not path.exists()
    with locked(path, wait=False):
        pass


def test_the_next_place_is_tried(fetch, server):
    assert fetch("/gone", "/false", "/whole").read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/gone", "/false", "/whole"]


def test_the_line_names_every_place_and_what_to_do(fetch, tmp_path):
    with pytest.raises(DataError, match="HTTP 404") as error:
        fetch("/gone")
    assert "yourself" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="no connection"):
        download(["http://127.0.0.1:9/x"], tmp_path / "b", SHA, 9, timeout=5)


def test_a_built_in_set_is_downloaded_to_its_folder(server, monkeypatch, tmp_path, cache):
    file = RemoteFile("train-images-idx3-ubyte.gz", len(CONTENT), SHA, (server.url + "/whole",))
    known = builtin_room.BuiltIn("tiny", "", "", "", (file,))
    assert get(known, None) == [cache / "data" / "tiny" / file.name]
    assert len(server.asked) == 1
    assert get(known, None)[0].read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert get(known, tmp_path)[0] == tmp_path / "tiny" / file.name
    with pytest.raises(UsageError, match="no such folder"):
        get(known, tmp_path / "nowhere")


SOUNDS = ["fsdd", "speech-commands"]


def test_every_built_in_file_has_a_sum_a_size_and_a_public_place():
    assert list(BUILTIN) == ["digits", "go-demo", "mnist", "fashion-mnist", "cifar10", *SOUNDS]
    for known in BUILTIN.values():
        assert known.licence
        assert known.home
        for file in known.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.size > 4000
            assert all(url.endswith(file.name) for url in file.urls)


def test_status_says_where_and_how(tmp_path):
    assert status("digits").present
    told = status("mnist", tmp_path)
    assert not told.present
    assert "12 MB" in told.how
    assert str(tmp_path) in told.how
    with pytest.raises(UsageError, match="did you mean 'mnist'"):
        status("mist")
