"""Importing, showing and deleting images and firmware on a lab."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import lzma
import os
import pty
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.lab import create, destroy
from chyves.lab.place import Lab
from tests.file_servers import FtpFiles, Served, WebFiles, serving
from tests.host_commands import (
    chyves,
    datasets,
    done,
    environment,
    everything,
    mend_zfs,
    refused,
    second_pool,
    sentence,
    start,
    zfs,
)

DATA = random.Random(3).randbytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
DIRECTORIES = {"iso": "ISO", "firmware": "Firmware"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    """A lab whose pool has the datasets of chyves, made once: its tests import and delete, or change nothing."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top))
    lab = Lab.open(top)
    done(lab, "dataset", lab.pool, "install")
    yield lab
    destroy.destroy(str(top), yes=True)


@pytest.fixture
def host(shared: Lab) -> Iterator[Lab]:
    """That lab, with no resource on it but the one of chyves itself."""
    yield shared
    mend_zfs(shared)
    for kind in DIRECTORIES.values():
        parent = f"{shared.pool}/chyves/{kind}"
        for name in datasets(shared, parent):
            if name.count("/") == 1 and "@" not in name and name != "/null.iso":
                zfs(shared, "destroy", "-R", parent + name)


@pytest.fixture
def own_host(lab: Lab) -> Lab:
    """A lab of the test's own, whose pool has the datasets of chyves."""
    done(lab, "dataset", lab.pool, "install")
    return lab


@pytest.fixture
def web() -> Iterator[WebFiles]:
    server = WebFiles()
    with serving(server):
        yield server


def file_of(host: Lab, kind: str, name: str) -> Path:
    return host.root / "chyves" / host.pool / DIRECTORIES[kind] / name / name


def dataset_of(host: Lab, kind: str, name: str) -> str:
    return f"{host.pool}/chyves/{DIRECTORIES[kind]}/{name}"


@pytest.mark.parametrize("kind", DIRECTORIES)
def test_a_file_of_this_machine(host: Lab, tmp_path: Path, kind: str) -> None:
    """Also fault 15 of 0.2.0: firmware lands among the firmware."""
    source = tmp_path / "x.img"
    source.write_bytes(DATA)
    source.chmod(0o400)
    before = everything(host)
    done(host, kind, "import", str(source))
    file = file_of(host, kind, "x.img")
    assert file.read_bytes() == DATA
    assert file.stat().st_mode & 0o777 == 0o644
    new = everything(host).keys() - before.keys()
    assert new == {dataset_of(host, kind, "x.img"), str(file.relative_to(host.root))}
    (shown,) = json.loads(done(host, kind, "list", "--json"))[kind]
    assert (shown["name"], shown["size"]) == ("x.img", len(DATA))
    (other,) = set(DIRECTORIES) - {kind}
    assert json.loads(done(host, other, "list", "--json"))[other] == []


def test_a_path_of_the_host(host: Lab) -> None:
    place = host.root / "usr/local/share/uefi-firmware/OWN.fd"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(DATA)
    done(host, "firmware", "import", "/usr/local/share/uefi-firmware/OWN.fd")
    assert file_of(host, "firmware", "OWN.fd").read_bytes() == DATA


def test_a_download_that_breaks_off(host: Lab, web: WebFiles) -> None:
    web.files["/x.iso"] = Served(DATA, breaks=[100_000])
    result = chyves(host, "iso", "import", web.url("/x.iso"), f"sha256={SHA256}")
    assert result.returncode == 0, result.stderr
    assert "broken off at 100000 of 300000 bytes; going on in 1 s" in result.stderr
    assert file_of(host, "iso", "x.iso").read_bytes() == DATA


def test_a_download_by_ftp(host: Lab) -> None:
    with serving(server := FtpFiles()):
        server.files["/pub/x.iso"] = Served(DATA, breaks=[100_000])
        done(host, "iso", "import", server.url("/pub/x.iso"), SHA256)
    assert file_of(host, "iso", "x.iso").read_bytes() == DATA


def test_without_a_checksum_there_is_a_warning(host: Lab, web: WebFiles) -> None:
    web.files["/x.iso"] = Served(DATA)
    result = chyves(host, "iso", "import", web.url("/x.iso"))
    assert (result.returncode, result.stdout) == (0, "")
    assert "x.iso: is imported without a checksum" in result.stderr


PACK: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "xz": lzma.compress}


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("kind", DIRECTORIES)
def test_packed(host: Lab, web: WebFiles, kind: str, packing: str) -> None:
    """Also fault 15 of 0.2.0: compressed firmware is unpacked where the firmware is."""
    packed = PACK[packing](DATA)
    web.files[f"/x.fd.{packing}"] = Served(packed)
    before = everything(host)
    done(host, kind, "import", web.url(f"/x.fd.{packing}"), f"sha512={hashlib.sha512(packed).hexdigest()}")
    file = file_of(host, kind, "x.fd")
    assert file.read_bytes() == DATA
    assert everything(host).keys() - before.keys() == {
        dataset_of(host, kind, "x.fd"),
        str(file.relative_to(host.root)),
    }


@pytest.mark.parametrize("kind", DIRECTORIES)
def test_a_wrong_checksum(host: Lab, web: WebFiles, kind: str) -> None:
    """Fault 15 of 0.2.0: a mismatch called a function that did not exist."""
    web.files["/x.fd"] = Served(DATA[:-1] + b"!")
    told = sentence(host, kind, "import", web.url("/x.fd"), SHA256)
    assert told.startswith(f"{web.url('/x.fd')}: has the sha256 checksum ")
    assert f"and not {SHA256};" in told


def test_a_wrong_checksum_of_something_packed_is_seen_before_it_is_unpacked(host: Lab, tmp_path: Path) -> None:
    (tmp_path / "x.iso.gz").write_bytes(b"this cannot be unpacked")
    assert "checksum" in sentence(host, "iso", "import", str(tmp_path / "x.iso.gz"), SHA256)


def test_the_same_twice(host: Lab, tmp_path: Path) -> None:
    (tmp_path / "x.iso").write_bytes(DATA)
    done(host, "iso", "import", str(tmp_path / "x.iso"))
    (tmp_path / "x.iso.gz").write_bytes(gzip.compress(b"other"))
    told = sentence(host, "iso", "import", str(tmp_path / "x.iso.gz"))
    assert told == "x.iso: there is such a resource already; delete it first with: chyves iso delete x.iso"
    done(host, "firmware", "import", str(tmp_path / "x.iso"))


def test_a_name_is_not_a_beginning(host: Lab, tmp_path: Path) -> None:
    for name in ("x", "x.iso", "x.is"):
        (tmp_path / name).write_bytes(name.encode())
        done(host, "iso", "import", str(tmp_path / name))
    done(host, "iso", "delete", "x.is", "--yes")
    assert [line.split("\t")[0] for line in done(host, "list", "iso", "-H").splitlines()] == ["x", "x.iso"]


def test_names_that_cannot_be(host: Lab, tmp_path: Path) -> None:
    for name in ("a b.iso", "a,b.iso", "a%b.iso", "-x.iso", ".x.iso", "ü.iso", "x" * 101, "null.iso"):
        (tmp_path / name).write_bytes(DATA)
        assert sentence(host, "iso", "import", str(tmp_path / name))


def test_sources_that_cannot_be(host: Lab, tmp_path: Path) -> None:
    (tmp_path / "empty.iso").touch()
    (tmp_path / "empty.iso.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "cut.iso.xz").write_bytes(lzma.compress(DATA)[:-20])
    os.mkfifo(tmp_path / "fifo.iso")
    assert sentence(host, "iso", "import", str(tmp_path / "none.iso")).endswith("see to that and try again")
    assert sentence(host, "iso", "import", f"{tmp_path}/{'x' * 9000}/x.iso").endswith("see to that and try again")
    assert "is no regular file" in sentence(host, "iso", "import", str(tmp_path))
    assert "is no regular file" in sentence(host, "iso", "import", str(tmp_path / "fifo.iso"))
    assert "is empty" in sentence(host, "iso", "import", str(tmp_path / "empty.iso"))
    assert "has nothing in it" in sentence(host, "iso", "import", str(tmp_path / "empty.iso.gz"))
    assert "is cut off" in sentence(host, "iso", "import", str(tmp_path / "cut.iso.xz"))
    (tmp_path / "x.iso").write_bytes(DATA)
    assert "hexadecimal digits" in sentence(host, "iso", "import", str(tmp_path / "x.iso"), "sha256=12")


def test_servers_that_do_not_give(host: Lab, web: WebFiles) -> None:
    web.files["/empty.iso"] = Served(b"")
    assert "the server says 404" in sentence(host, "iso", "import", web.url("/none.iso"))
    assert "is empty" in sentence(host, "iso", "import", web.url("/empty.iso"))
    web.files["/x.iso"] = Served(b"", redirect="ftp://127.0.0.1/x.iso")
    assert "leads on to ftp" in sentence(host, "iso", "import", web.url("/x.iso"))


def test_without_datasets(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "x.iso").write_bytes(DATA)
    assert sentence(lab, "iso", "import", str(tmp_path / "x.iso")).startswith("no pool has chyves datasets;")


def test_no_room(own_host: Lab, web: WebFiles, tmp_path: Path) -> None:
    zfs(own_host, "set", "quota=2M", f"{own_host.pool}/chyves/ISO")
    (tmp_path / "large.iso").write_bytes(bytes(3 << 20))
    (tmp_path / "bomb.iso.gz").write_bytes(gzip.compress(bytes(64 << 20)))
    web.files["/large.iso"] = Served(bytes(3 << 20), chunked=True)
    assert "that are free" in sentence(own_host, "iso", "import", str(tmp_path / "large.iso"))
    assert "that are free; make room first" in sentence(own_host, "iso", "import", str(tmp_path / "bomb.iso.gz"))
    assert "that are free; make room first" in sentence(own_host, "iso", "import", web.url("/large.iso"))


def test_a_write_that_fails(host: Lab, tmp_path: Path) -> None:
    (tmp_path / "x.iso").write_bytes(bytes(9 << 20))
    before = everything(host)
    words = [sys.executable, "-m", "chyves", "iso", "import", str(tmp_path / "x.iso")]
    limited = ["sh", "-c", 'ulimit -f 16384; exec "$@"', "sh", *words]
    result = subprocess.run(limited, capture_output=True, text=True, env=environment(host))
    assert result.returncode == 1
    assert "chyves: x.iso: File too large; see to that and try again\n" in result.stderr
    assert everything(host) == before


def wait_until_asked(served: Served) -> None:
    deadline = time.monotonic() + 60
    while not served.asked and time.monotonic() < deadline:
        time.sleep(0.02)
    assert served.asked


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_a_download(host: Lab, web: WebFiles, number: signal.Signals) -> None:
    served = web.files["/x.iso"] = Served(DATA, breaks=[100_000], stall=True)
    before = everything(host)
    process = start(host, "iso", "import", web.url("/x.iso"))
    wait_until_asked(served)
    process.send_signal(number)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}" in error
    assert everything(host) == before


def test_killed_in_the_middle_of_a_download(host: Lab, web: WebFiles, tmp_path: Path) -> None:
    served = web.files["/x.iso"] = Served(DATA, breaks=[100_000], stall=True)
    before = everything(host)
    process = start(host, "iso", "import", web.url("/x.iso"))
    wait_until_asked(served)
    process.kill()
    process.communicate()
    assert done(host, "list", "iso", "-H") == ""
    (tmp_path / "other.iso").write_bytes(DATA)
    result = chyves(host, "iso", "import", str(tmp_path / "other.iso"))
    assert "x.iso: was not imported to its end; it is taken back" in result.stderr
    done(host, "iso", "delete", "other.iso", "--yes")
    assert everything(host) == before


def test_a_download_keeps_only_its_own_name_busy(host: Lab, web: WebFiles, tmp_path: Path) -> None:
    served = web.files["/x.iso"] = Served(DATA, breaks=[100_000], stall=True)
    process = start(host, "iso", "import", web.url("/x.iso"))
    try:
        wait_until_asked(served)
        for name in ("x.iso", "y.iso"):
            (tmp_path / name).write_bytes(DATA)
        done(host, "iso", "import", str(tmp_path / "y.iso"))
        told = sentence(host, "iso", "import", str(tmp_path / "x.iso"), status=75)
        assert told.startswith(f"x.iso: is being changed by process {process.pid} ")
    finally:
        process.kill()
        process.communicate()


def test_resources_are_on_the_primary_pool(own_host: Lab, tmp_path: Path) -> None:
    done(own_host, "dataset", second_pool(own_host, "aaa"), "install")
    (tmp_path / "x.iso").write_bytes(DATA)
    done(own_host, "iso", "import", str(tmp_path / "x.iso"))
    assert file_of(own_host, "iso", "x.iso").exists()


def test_a_dry_run_is_what_a_shell_could_do(host: Lab, tmp_path: Path) -> None:
    packed = tmp_path / "x.iso.gz"
    packed.write_bytes(gzip.compress(DATA))
    before = everything(host)
    script = done(host, "iso", "import", str(packed), "--dry-run")
    assert everything(host) == before
    subprocess.run(["sh", "-e"], input=script, text=True, check=True, env=environment(host))
    pasted = everything(host)
    script = done(host, "iso", "delete", "x.iso", "--dry-run")
    assert everything(host) == pasted
    subprocess.run(["sh", "-e"], input=script, text=True, check=True, env=environment(host))
    assert everything(host) == before
    done(host, "iso", "import", str(packed))
    assert everything(host) == pasted


def test_a_dry_run_of_a_download_asks_no_server(host: Lab) -> None:
    url = "http://me:secret@127.0.0.1:9/x.fd.xz"
    result = chyves(host, "firmware", "import", url, f"sha256={SHA256}", "--dry-run")
    directory = host.root / "chyves" / host.pool / "Firmware" / ".new-x.fd"
    dataset = f"{host.pool}/chyves/Firmware"
    assert result.stdout.splitlines() == [
        f"zfs create {dataset}/.new-x.fd",
        f"fetch -o {directory}/x.fd.xz http://127.0.0.1:9/x.fd.xz",
        f"sha256 -c {SHA256} {directory}/x.fd.xz",
        f"unxz {directory}/x.fd.xz",
        f"chmod 644 {directory}/x.fd",
        f"zfs rename {dataset}/.new-x.fd {dataset}/x.fd",
    ]
    assert "secret" not in result.stdout + result.stderr


def test_deleting_asks(host: Lab, tmp_path: Path) -> None:
    (tmp_path / "x.iso").write_bytes(DATA)
    done(host, "iso", "import", str(tmp_path / "x.iso"))
    assert sentence(host, "iso", "delete", "x.iso").endswith("give --yes")
    assert sentence(host, "iso", "delete", "x.is", "--yes").startswith("x.is: there is no such iso (there are: x.iso);")
    assert sentence(host, "firmware", "delete", "x.iso", "--yes")
    assert sentence(host, "iso", "delete", "null.iso", "--yes").startswith("null.iso: is the empty medium")
    done(host, "iso", "delete", "x.iso", "--yes")
    assert done(host, "list", "iso", "-H") == ""


def test_deleting_takes_snapshots_along_and_says_so(host: Lab, tmp_path: Path) -> None:
    (tmp_path / "x.iso").write_bytes(DATA)
    before = everything(host)
    done(host, "iso", "import", str(tmp_path / "x.iso"))
    dataset = dataset_of(host, "iso", "x.iso")
    zfs(host, "snapshot", f"{dataset}@nightly")
    screen = on_a_terminal(host, ["y"], "iso", "delete", "x.iso")
    assert f"{dataset}@nightly will be destroyed" in screen
    assert everything(host) == before


def test_a_clone_of_a_snapshot_elsewhere_keeps_it(host: Lab, tmp_path: Path) -> None:
    (tmp_path / "x.iso").write_bytes(DATA)
    done(host, "iso", "import", str(tmp_path / "x.iso"))
    dataset = dataset_of(host, "iso", "x.iso")
    zfs(host, "snapshot", f"{dataset}@one")
    zfs(host, "clone", f"{dataset}@one", f"{host.pool}/clone")
    assert f"{host.pool}/clone" in refused(host, "iso", "delete", "x.iso", "--yes")


def test_firmware_in_use_is_kept(own_host: Lab, tmp_path: Path) -> None:
    for name in ("x.fd", "x"):
        (tmp_path / name).write_bytes(DATA)
        done(own_host, "firmware", "import", str(tmp_path / name))
    done(own_host, "web1", "create", "1G")
    done(own_host, "web1", "set", "uefi_firmware=x.fd")
    assert sentence(own_host, "firmware", "delete", "x.fd", "--yes").startswith("x.fd: web1 boots with it;")
    done(own_host, "firmware", "delete", "x", "--yes")
    done(own_host, "web1", "set", "uefi_firmware=-")
    done(own_host, "defaults", "set", "uefi_firmware=x.fd")
    assert sentence(own_host, "firmware", "delete", "x.fd", "--yes").startswith(
        "x.fd: every new guest (defaults) boots"
    )


def on_a_terminal(host: Lab, answers: list[str], *words: str) -> str:
    """All that chyves shows on a terminal on which a user types these answers; it must succeed."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "chyves", *words],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment(host),
        close_fds=True,
    )
    os.close(terminal)
    os.write(controller, "".join(f"{answer}\n" for answer in answers).encode())
    screen = b""
    with contextlib.suppress(OSError):
        while select.select([controller], [], [], 60)[0]:
            screen += os.read(controller, 65536)
    os.close(controller)
    assert process.wait(timeout=60) == 0, screen.decode()
    return screen.decode()


def test_on_a_terminal_the_checksum_is_asked_for(host: Lab, web: WebFiles) -> None:
    web.files["/x.iso"] = Served(DATA)
    web.files["/y.iso"] = Served(DATA)
    screen = on_a_terminal(host, [f"sha256={SHA256}"], "iso", "import", web.url("/x.iso"))
    assert "x.iso: checksum (md5, sha1, sha256 or sha512; Return for none):" in screen
    assert "warning" not in screen
    assert "x.iso: [##############################] 100% 0.3 of 0.3 MiB" in screen
    screen = on_a_terminal(host, [""], "iso", "import", web.url("/y.iso"))
    assert "y.iso: is imported without a checksum" in screen
    assert len(done(host, "list", "iso", "-H").splitlines()) == 2
