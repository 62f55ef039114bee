"""Downloads from real servers on loopback that break off, change the file, lie, and redirect."""

from __future__ import annotations

import base64
import io
import random
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.resources.download import Bar, Download
from chyves.resources.ftp import FtpServer
from chyves.resources.source import Address, read_source
from chyves.resources.web import WebServer
from tests.file_servers import FtpFiles, Served, WebFiles, serving

DATA = random.Random(1).randbytes(400_000)
OTHER = random.Random(2).randbytes(400_000)


@dataclass
class Counted:
    """A bar that remembers how far it came."""

    total: int | None
    done: int = 0

    def advance(self, n: int) -> None:
        self.done += n


@dataclass
class Trial:
    """A download and all that it told."""

    url: str
    target: io.BytesIO = field(default_factory=io.BytesIO)
    warnings: list[str] = field(default_factory=list)
    bars: list[Counted] = field(default_factory=list)

    def run(self, room: int = 1 << 30, tries: int = 3) -> bytes:
        address = read_source(self.url).place
        assert isinstance(address, Address)
        server = FtpServer(address) if address.scheme == "ftp" else WebServer(address)
        pauses = (0.0,) * tries
        Download(server, self.target, "x.iso", room, self._progress, self.warnings.append, pauses).run()
        return self.target.getvalue()

    def _progress(self, total: int | None, what: str) -> AbstractContextManager[Bar]:
        self.bars.append(Counted(total))
        return nullcontext(self.bars[-1])


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own proxy is not asked for what is on loopback."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def web() -> Iterator[WebFiles]:
    server = WebFiles()
    with serving(server):
        yield server


@pytest.fixture
def ftp() -> Iterator[FtpFiles]:
    server = FtpFiles()
    with serving(server):
        yield server


def give(web: WebFiles, served: Served) -> Trial:
    web.files["/d/x.iso"] = served
    return Trial(web.url("/d/x.iso"))


def test_whole(web: WebFiles) -> None:
    served = Served(DATA)
    trial = give(web, served)
    assert trial.run() == DATA
    assert trial.warnings == []
    assert [(bar.total, bar.done) for bar in trial.bars] == [(len(DATA), len(DATA))]
    assert served.asked[0]["User-Agent"].startswith("chyves/")


def test_without_a_length(web: WebFiles) -> None:
    assert give(web, Served(DATA, chunked=True)).run() == DATA


def test_goes_on_where_it_was_broken_off(web: WebFiles) -> None:
    served = Served(DATA, breaks=[100_000, 150_000, 1])
    trial = give(web, served)
    assert trial.run(tries=1) == DATA
    ranges = [headers.get("Range") for headers in served.asked]
    assert ranges == [None, "bytes=100000-", "bytes=250000-", "bytes=250001-"]
    assert [headers.get("If-Range") for headers in served.asked[1:]] == ['"one"'] * 3
    assert trial.warnings[0] == "x.iso: broken off at 100000 of 400000 bytes; going on in 0 s"
    assert trial.bars[-1].done == len(DATA)


def test_by_the_time_of_change_where_there_is_no_tag(web: WebFiles) -> None:
    changed = "Sat, 01 Oct 2016 00:00:00 GMT"
    served = Served(DATA, tag="", breaks=[100_000], headers={"Last-Modified": changed}, heeds_if_range=False)
    assert give(web, served).run() == DATA
    assert served.asked[1]["If-Range"] == changed


def test_a_weak_tag_is_no_mark(web: WebFiles) -> None:
    served = Served(DATA, tag='W/"one"', breaks=[100_000], heeds_if_range=False)
    assert give(web, served).run() == DATA
    assert "Range" not in served.asked[1]


def test_chunks_go_on_too(web: WebFiles) -> None:
    served = Served(DATA, chunked=True, breaks=[100_000])
    assert give(web, served).run() == DATA
    assert served.asked[1]["Range"].startswith("bytes=")


@pytest.mark.parametrize("heeds", [True, False])
def test_a_changed_file_is_not_glued(web: WebFiles, heeds: bool) -> None:
    served = Served(DATA, breaks=[100_000], later=OTHER, heeds_if_range=heeds)
    assert give(web, served).run() == OTHER


def test_a_file_that_became_shorter_begins_anew(web: WebFiles) -> None:
    served = Served(DATA, breaks=[100_000], later=OTHER[:50_000], heeds_if_range=False)
    assert give(web, served).run() == OTHER[:50_000]


def test_a_server_without_ranges_begins_anew(web: WebFiles) -> None:
    served = Served(DATA, breaks=[300_000], ranges=False)
    trial = give(web, served)
    assert trial.run() == DATA
    assert trial.bars[-1].done == len(DATA)


def test_a_server_without_ranges_that_always_breaks_is_given_up(web: WebFiles) -> None:
    served = Served(DATA, breaks=[300_000] * 100, ranges=False)
    with pytest.raises(ChyvesError, match=r"/d/x\.iso: broken off at 300000 of 400000 bytes; try again later"):
        give(web, served).run(tries=3)
    assert len(served.asked) == 4


def test_each_gain_gives_all_tries_again(web: WebFiles) -> None:
    served = Served(DATA, breaks=[50_000] * 7)
    assert give(web, served).run(tries=1) == DATA


def test_a_length_that_is_too_long_is_never_whole(web: WebFiles) -> None:
    served = Served(DATA, length=len(DATA) + 1, ranges=False)
    with pytest.raises(ChyvesError, match="broken off at 400000 of 400001 bytes"):
        give(web, served).run()


def test_busy_in_between_is_waited_for(web: WebFiles) -> None:
    served = Served(DATA, breaks=[100_000], statuses=[200, 503, 429])
    trial = give(web, served)
    assert trial.run() == DATA
    assert "the server says 503" in trial.warnings[1]


def test_gone_in_between_is_final(web: WebFiles) -> None:
    served = Served(DATA, breaks=[100_000], statuses=[200, 410])
    with pytest.raises(ChyvesError, match="the server says 410 Gone"):
        give(web, served).run()
    assert len(served.asked) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_refusal_at_first_is_final(web: WebFiles, status: int) -> None:
    served = Served(DATA, status=status)
    trial = give(web, served)
    with pytest.raises(ChyvesError, match=rf"^{trial.url}: the server says {status} "):
        trial.run()
    assert len(served.asked) == 1


def test_nobody_there() -> None:
    with serving(server := WebFiles()):
        url = server.url("/x.iso")
    with pytest.raises(ChyvesError, match="Connection refused; see whether the address is right"):
        Trial(url).run()


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(ChyvesError, match=r"http://no-such-host\.invalid/x\.iso: .*; see whether the address is right"):
        Trial("http://no-such-host.invalid/x.iso").run()


def test_redirects_are_followed(web: WebFiles) -> None:
    web.files["/real/y"] = Served(DATA, breaks=[100_000])
    trial = give(web, Served(b"", redirect="/real/y"))
    assert trial.run() == DATA


@pytest.mark.parametrize("target", ["ftp://127.0.0.1:1/x", "file:///etc/passwd", "gopher://x/"])
def test_redirects_to_elsewhere_are_not(web: WebFiles, target: str) -> None:
    with pytest.raises(ChyvesError) as error:
        give(web, Served(b"", redirect=target)).run()
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    made = subprocess.run(["openssl", *words.split(), "-keyout", "-"], capture_output=True, text=True, check=True)
    file.write_text(made.stdout)
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[WebFiles]:
    server = WebFiles()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server


def test_https(secure: WebFiles, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    secure.files["/x.iso"] = Served(DATA, breaks=[100_000])
    assert Trial(secure.url("/x.iso").replace("http", "https")).run() == DATA


def test_https_from_somebody_unknown(secure: WebFiles) -> None:
    secure.files["/x.iso"] = Served(DATA)
    with pytest.raises(ChyvesError, match="certificate verify failed"):
        Trial(secure.url("/x.iso").replace("http", "https")).run()


def test_a_redirect_from_https_to_http_is_not_followed(
    secure: WebFiles, web: WebFiles, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    web.files["/x.iso"] = Served(DATA)
    secure.files["/x.iso"] = Served(b"", redirect=web.url("/x.iso"))
    with pytest.raises(ChyvesError, match="leads on to http, which is not followed"):
        Trial(secure.url("/x.iso").replace("http", "https")).run()
    assert web.files["/x.iso"].asked == []


def test_redirects_in_a_ring_end(web: WebFiles) -> None:
    with pytest.raises(ChyvesError, match="infinite loop") as error:
        give(web, Served(b"", redirect="/d/x.iso")).run()
    assert "\n" not in str(error.value)


def test_the_login_goes_to_the_first_server_only(web: WebFiles) -> None:
    word = "Basic " + base64.b64encode(b"me:s ecret").decode()
    with serving(other := WebFiles()):
        other.files["/y.iso"] = Served(DATA)
        web.files["/x.iso"] = Served(b"", redirect=other.url("/y.iso"))
        web.files["/z.iso"] = Served(DATA, login=word)
        base = web.url("").replace("http://", "http://me:s%20ecret@")
        assert Trial(base + "/x.iso").run() == DATA
        assert Trial(base + "/z.iso").run() == DATA
        assert web.files["/x.iso"].asked[0]["Authorization"] == word
        assert "Authorization" not in other.files["/y.iso"].asked[0]


def test_a_wrong_login_is_told_without_the_password(web: WebFiles) -> None:
    web.files["/z.iso"] = Served(DATA, login="Basic other")
    with pytest.raises(ChyvesError, match="the server says 401") as error:
        Trial(web.url("/z.iso?key=secret").replace("http://", "http://me:secret@")).run()
    assert "secret" not in str(error.value)


def test_a_file_that_the_server_packs_is_refused(web: WebFiles) -> None:
    with pytest.raises(ChyvesError, match="packs the file"):
        give(web, Served(DATA, headers={"Content-Encoding": "gzip"})).run()


def test_no_more_than_there_is_room_for(web: WebFiles) -> None:
    for chunked in (True, False):
        trial = give(web, Served(DATA, chunked=chunked))
        with pytest.raises(ChyvesError, match="is larger than the 399999 bytes that are free"):
            trial.run(room=len(DATA) - 1)
        assert len(trial.target.getvalue()) < len(DATA)
    assert give(web, Served(DATA)).run(room=len(DATA)) == DATA


def test_ftp(ftp: FtpFiles) -> None:
    ftp.files["/pub/x.iso"] = Served(DATA)
    trial = Trial(ftp.url("/pub/x.iso"))
    assert trial.run() == DATA
    assert ftp.commands[:3] == ["USER anonymous", "PASS anonymous@", "TYPE I"]
    assert trial.bars[0].total == len(DATA)


def test_ftp_with_a_login(ftp: FtpFiles) -> None:
    ftp.files["/x.iso"] = Served(DATA)
    assert Trial(ftp.url("/x.iso").replace("ftp://", "ftp://me:s%65cret@")).run() == DATA
    assert ftp.commands[:2] == ["USER me", "PASS secret"]


def test_ftp_goes_on_where_it_was_broken_off(ftp: FtpFiles) -> None:
    ftp.files["/x.iso"] = Served(DATA, breaks=[100_000, 50_000])
    trial = Trial(ftp.url("/x.iso"))
    assert trial.run() == DATA
    assert [word for word in ftp.commands if word.startswith("REST")] == ["REST 100000", "REST 150000"]
    assert len(trial.warnings) == 2


def test_ftp_does_not_glue_a_changed_file(ftp: FtpFiles) -> None:
    ftp.files["/x.iso"] = Served(DATA, breaks=[100_000], later=OTHER)
    assert Trial(ftp.url("/x.iso")).run() == OTHER


def test_ftp_server_without_rest_begins_anew(ftp: FtpFiles) -> None:
    ftp.rest = False
    ftp.files["/x.iso"] = Served(DATA, breaks=[100_000])
    assert Trial(ftp.url("/x.iso")).run() == DATA


def test_ftp_server_that_tells_no_size(ftp: FtpFiles) -> None:
    ftp.sizes = False
    ftp.files["/x.iso"] = Served(DATA, breaks=[100_000])
    trial = Trial(ftp.url("/x.iso"))
    assert trial.run() == DATA
    assert len(trial.warnings) == 1


def test_ftp_without_the_file(ftp: FtpFiles) -> None:
    with pytest.raises(ChyvesError, match=r"/none\.iso: 550 no such file; see whether the address is right"):
        Trial(ftp.url("/none.iso")).run()
