"""What is secret does not get into logs and messages."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chyves.host import locks
from chyves.host.log import Log
from chyves.masking import masked

LETTERS = some.text("abcXYZ019:@%.-_~!$&'()*+,;=", min_size=1)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("http://me:pass@host/x.iso", "http://***@host/x.iso"),
        ("ftp://me@host:21/a b@c", "ftp://***@host:21/a b@c"),
        ("import http://a:b@h/x https://c:d@i/y now", "import http://***@h/x https://***@i/y now"),
        ("http://host/a@b", "http://host/a@b"),
        ("fbuf,tcp=127.0.0.1:5900,password=secret,wait", "fbuf,tcp=127.0.0.1:5900,password=***,wait"),
        ("web1: cpu=2", "web1: cpu=2"),
    ],
)
def test_what_is_hidden(text: str, right: str) -> None:
    assert masked(text) == right


@given(LETTERS)
def test_no_password_of_an_address_is_left(password: str) -> None:
    secret = f"\N{KEY}{password}\N{KEY}"
    assert masked(f"get http://me:{secret}@host/file") == "get http://***@host/file"


def test_the_log_hides_them(tmp_path: Path) -> None:
    Log().write(tmp_path, 1, "from http://me:pass@host/x.iso")
    text = (tmp_path / time.strftime("%Y%m.log")).read_text()
    assert text.endswith("from http://***@host/x.iso\n")


def test_who_holds_a_lock_is_told_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["chyves", "iso", "import", "http://me:pass@host/x.iso"])
    with locks.Locks(tmp_path).hold("all"):
        assert "chyves iso import http://***@host/x.iso" in (tmp_path / "all.lock").read_text()
