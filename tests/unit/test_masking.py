"""Secrets that are masked, and what is not one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.masking import MASK, masked, masked_report, masked_value


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("notes", "anything", MASK),
        ("notes", "-", "-"),
        ("notes", "", ""),
        ("disk3_notes", "anything", MASK),
        ("disk3_description", "data", "data"),
        ("uefi_vnc_client_custom_cmd", "vncviewer", MASK),
        ("vnc_password", "sesame", MASK),
        ("check_for_updates_unique_id", "1234", MASK),
        ("pcidev_0", "fbuf,tcp=0.0.0.0:5900,password=sesame,wait", f"fbuf,tcp=0.0.0.0:5900,password={MASK},wait"),
        ("description", "ftp://me:sesame@example.org/a", f"ftp://{MASK}@example.org/a"),
        ("description", "https://example.org/a?key=sesame", f"https://example.org/a?{MASK}"),
        ("description", "run --api-key sesame now", f"run --api-key {MASK} now"),
        ("description", 'secret: "open sesame" here', f"secret: {MASK} here"),
        ("uuid", "0b1c5ec0-7b8e-11f0-9c6e-589cfc000001", "0b1c5ec0-7b8e-11f0-9c6e-589cfc000001"),
        ("tap50_mac", "58:9c:fc:00:00:01", "58:9c:fc:00:00:01"),
        ("bargs", "-A -H -P -S", "-A -H -P -S"),
        ("description", "https://example.org/a", "https://example.org/a"),
    ],
)
def test_value_is_shown_as(name: str, value: str, shown: str) -> None:
    assert masked_value(name, value) == shown


WORD = st.from_regex(r"[A-Za-z0-9]{6,12}", fullmatch=True)


@given(
    WORD,
    WORD,
    st.sampled_from(["{0}://{0}:{1}@host/", "password={1}", "x,PASSWD={1},y", "--token {1}", "h://h/?k={1}"]),
)
def test_no_secret_is_left(other: str, secret: str, form: str) -> None:
    secret = f"{secret}ZQ"
    assert secret not in masked(form.format(f"a{other}", secret))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("- [2] - notes=the word", f"- [2] - notes={MASK}"),
        ("web1: disk3_notes=the word", f"web1: disk3_notes={MASK}"),
        ("chyves web1 set 'notes=it'\"'\"'s it' cpu=2", f"chyves web1 set 'notes={MASK}"),
        ("chyves web1 disk disk0 notes 'the word'", f"chyves web1 disk disk0 notes {MASK}"),
        ("uefi_vnc_client_custom_cmd=viewer", f"uefi_vnc_client_custom_cmd={MASK}"),
        ("notes=-", "notes=-"),
        ("notes=", "notes="),
        ("web1: description=the word", "web1: description=the word"),
    ],
)
def test_a_report_has_no_notes_in_any_line(line: str, shown: str) -> None:
    assert masked_report(f"before\n{line}\nbehind\n") == f"before\n{shown}\nbehind\n"
