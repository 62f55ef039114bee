"""Where a resource comes from, what it is called, and what its checksum is."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves import names
from chyves.cli.sizes import rounded
from chyves.errors import ChyvesError
from chyves.resources.checksum import DIGITS, Checksum, read_checksum
from chyves.resources.source import Address, read_source
from chyves.resources.unpack import unpack


@pytest.mark.parametrize(
    ("word", "name", "packing"),
    [
        ("/tmp/debian-12.iso", "debian-12.iso", ""),
        ("debian.iso", "debian.iso", ""),
        ("./a/b/BHYVE_UEFI.fd", "BHYVE_UEFI.fd", ""),
        ("http://host/path/x.iso", "x.iso", ""),
        ("HTTPS://host/x.iso?key=secret/y", "x.iso", ""),
        ("https://host/install%2B75.img.gz", "install+75.img", "gz"),
        ("ftp://host/pub/x.fd.XZ", "x.fd", "xz"),
        ("/tmp/x.iso.gz", "x.iso", "gz"),
        ("/tmp/with blanks, and commas/x.iso", "x.iso", ""),
        ("/tmp/.iso.gz/x.iso", "x.iso", ""),
    ],
)
def test_name_of_a_source(word: str, name: str, packing: str) -> None:
    source = read_source(word)
    assert (source.name, source.packing) == (name, packing)
    assert source.fetched_name.lower() == (f"{name}.{packing}" if packing else name).lower()


@pytest.mark.parametrize(
    "word",
    [
        "",
        "/",
        "/tmp/",
        "/tmp/a,b.iso",
        "/tmp/a b.iso",
        "/tmp/a%b.iso",
        "/tmp/..",
        "/tmp/.hidden.iso",
        "/tmp/.gz",
        "-x.iso",
        "/tmp/ümlaut.iso",
        "/tmp/" + "x" * 101 + ".iso",
        "/tmp/x\n.iso",
        "/tmp/a\0/x.iso",
        "http://host",
        "http://host/",
        "http:///x.iso",
        "http://host:99999/x.iso",
        "http://host:port/x.iso",
        "http://host/a b.iso",
        "http://host/a%2Cb.iso",
        "http://host/a%20b.iso",
        "http://host/%2e%2e",
        "http://host/..%2f..%2fetc%2fpasswd%00",
        "ftp://host/a%0d%0aDELE%20x/x.iso",
        "http://ho\rst/x.iso",
        "file:///etc/passwd",
        "gopher://host/x.iso",
        "data://text/x.iso",
    ],
)
def test_sources_that_are_refused(word: str) -> None:
    with pytest.raises(ChyvesError) as error:
        read_source(word)
    assert "\n" not in str(error.value)
    assert ";" in str(error.value) or ": use " in str(error.value)


@given(st.text(max_size=60))
def test_every_name_that_comes_out_is_one(word: str) -> None:
    try:
        source = read_source(word)
    except ChyvesError as error:
        assert "\n" not in str(error)
    else:
        assert names.resource(source.name) == source.name


def test_user_and_password_are_kept_from_messages() -> None:
    source = read_source("https://me:s%65cret@host:8443/d/x.iso?token=secret#part")
    assert source.place == Address("https://host:8443/d/x.iso?token=secret", "me", "secret")
    assert source.shown == "https://host:8443/d/x.iso"
    assert "secret" not in source.shown


@pytest.mark.parametrize("word", ["http://me:secret@host/a b.iso", "http://me:secret@/x", "http://me:secret@h:x/y"])
def test_a_refusal_does_not_show_the_password(word: str) -> None:
    with pytest.raises(ChyvesError) as error:
        read_source(word)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("kind", DIGITS)
def test_checksums_are_read(kind: str) -> None:
    digits = hashlib.new(kind, b"x").hexdigest()
    assert read_checksum(f"{kind}={digits}") == read_checksum(digits.upper()) == Checksum(kind, digits)


@pytest.mark.parametrize(
    "word",
    ["", "sha256", "sha256=", "sha256=12", "sha3=" + "0" * 64, "sha256=" + "g" * 64, "md5=" + "0" * 40, "0" * 33, "="],
)
def test_checksums_that_are_refused(word: str) -> None:
    with pytest.raises(ChyvesError, match="hexadecimal digits"):
        read_checksum(word)


def test_a_checksum_is_compared(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc" * 1000000)
    right = read_checksum(hashlib.sha256(b"abc" * 1000000).hexdigest())
    right.compare(file, "x")
    file.write_bytes(b"abc" * 999999 + b"abd")
    with pytest.raises(ChyvesError, match=f"x: has the sha256 checksum .* and not {right.digits}"):
        right.compare(file, "x")


DATA = bytes(range(256)) * 9000
PACKED = {"gz": gzip.compress(DATA), "xz": lzma.compress(DATA)}


def _unpacked(tmp_path: Path, packing: str, packed: bytes, room: int = 1 << 30) -> bytes:
    file = tmp_path / f"x.iso.{packing}"
    file.write_bytes(packed)
    target = io.BytesIO()
    seen: list[int] = []
    unpack(file, packing, target, room, seen.append)
    assert sum(seen) == len(target.getvalue())
    return target.getvalue()


@pytest.mark.parametrize("packing", PACKED)
class TestUnpack:
    def test_whole(self, tmp_path: Path, packing: str) -> None:
        assert _unpacked(tmp_path, packing, PACKED[packing]) == DATA

    def test_two_members(self, tmp_path: Path, packing: str) -> None:
        assert _unpacked(tmp_path, packing, PACKED[packing] * 2) == DATA * 2

    @pytest.mark.parametrize("cut", [1, 8, 100])
    def test_cut_off(self, tmp_path: Path, packing: str, cut: int) -> None:
        with pytest.raises(ChyvesError, match=r"x\.iso\.[gx]z: is cut off; fetch it again"):
            _unpacked(tmp_path, packing, PACKED[packing][:-cut])

    def test_broken_in_the_middle(self, tmp_path: Path, packing: str) -> None:
        middle = len(PACKED[packing]) // 2
        broken = PACKED[packing][:middle] + bytes(64) + PACKED[packing][middle + 64 :]
        with pytest.raises(ChyvesError, match="fetch it again"):
            _unpacked(tmp_path, packing, broken)

    def test_of_another_kind(self, tmp_path: Path, packing: str) -> None:
        with pytest.raises(ChyvesError, match=f"is no sound .{packing} file"):
            _unpacked(tmp_path, packing, b"<html>not what you wanted</html>" * 10)

    def test_no_more_than_there_is_room_for(self, tmp_path: Path, packing: str) -> None:
        assert _unpacked(tmp_path, packing, PACKED[packing], len(DATA)) == DATA
        with pytest.raises(ChyvesError, match="holds more than"):
            _unpacked(tmp_path, packing, PACKED[packing], len(DATA) - 1)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1, "1B"),
        (1023, "1023B"),
        (1024, "1K"),
        (1536, "1.50K"),
        (15 * 1024 + 512, "15.5K"),
        (1 << 33, "8G"),
        (123456789, "118M"),
        ((1 << 63) - 1, "8.00E"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert rounded(size) == text
