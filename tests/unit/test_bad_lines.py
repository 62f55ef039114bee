"""A hundred wrong lines that the words alone betray: one sentence on stderr, status 2, nothing on stdout."""

from __future__ import annotations

from pathlib import Path

import pytest

from chyves.__main__ import main

LONG = "w" * 10_000
BAD_GUESTS = (
    *(
        "",
        " ",
        "web 1",
        "web1 ",
        "../web1",
        "web1/..",
        "/web1",
        "web/1",
        "web1@snap",
        "web1%2",
        "%s",
        "web1;ls",
        "$(ls)",
    ),
    *("*", "web?", "web1\n", "web\t1", "web\0", "wéb1", "вэ1", "网络", "web\u202e1", "\udcff", "web1\udc80", "🐡"),
    *(
        ".",
        "..",
        ",",
        "web1,",
        ",web1",
        "web1,,web2",
        "web1,web1",
        "web1,web2,web1",
        "all,web1",
        "web1,all",
        "~",
        "w" * 28,
    ),
    *(
        "web1=1",
        "web1:1",
        "web#1",
        "'web1'",
        '"web1"',
        "web1|web2",
        "web1&",
        LONG,
        f"web1,{LONG}",
        "global",
        "defaults",
    ),
)
LINES: tuple[list[str], ...] = (
    *([guest, "start"] for guest in BAD_GUESTS),
    *(
        [guest, "create"]
        for guest in (".x", "all", "start", "defaults", "bridge0", "disk", "global", "primary", "w" * 28)
    ),
    *([guest, "console"] for guest in ("all", "web1,web2", "web 1", "../etc")),
    *(
        ["network", bridge, "private"]
        for bridge in ("bridge", "bridge00", "bridge01", "bridge32769", "tap0", "web1", LONG)
    ),
    *(
        ["network", "bridge0", "attach", card]
        for card in ("", "tap0", "lo0", "bridge1", "em", "em0;ls", "../em0", "-", LONG)
    ),
    *(["network", "web1", "remove", tap] for tap in ("tap", "tap05", "tap-1", "tap50,tap51", "vale", "em0", "t5")),
    *(
        ["web1", "disk", "delete", disk]
        for disk in ("disk", "0", "disk00", "disk1000", "disk1,disk2", "disk%", "dïsk1")
    ),
    *(
        ["dataset", pool, "install"]
        for pool in ("", "1tank", "tank/chyves", "tank@x", "-tank", "../tank", "ta nk", LONG)
    ),
    *(["iso", "delete", image] for image in ("", "../x.iso", "a b.iso", "a,b.iso", ".iso", "a/b", "ä.iso", LONG)),
    [""],
    [" "],
    [LONG],
    ["\udcff"],
    ["-"],
    ["-x"],
    ["--", ""],
    ["--yes"],
    ["--dry-run"],
    ["--json", "-H"],
    ["help", "nonsense"],
    ["help", LONG],
    ["help", ""],
    ["web1"],
    ["web1", ""],
    ["web1", LONG],
    ["web1", "starrt"],
    ["web1", "START"],
    ["web1", "start", "a.iso", "b.iso"],
    ["web1", "start", "../a.iso"],
    ["web1", "start", "--force"],
    ["web1", "start", "--dry"],
    ["web1", "start", "--dry-run=no"],
    ["web1", "start", "--json"],
    ["web1", "start", "-1"],
    ["web1", "start", "-A -H"],
    ["web1", "start", "--yes"],
    ["web1", "stop", "now"],
    ["web1", "stop", "force", "force"],
    ["web1", "delete", "forced"],
    ["web1", "delete", "-Y"],
    ["web1", "create", "8G", "1tank"],
    ["web1", "create", "8G", "tank", "more"],
    ["web1", "get"],
    ["web1", "get", "cpu", "ram"],
    ["web1", "get", ""],
    ["web1", "set"],
    ["web1", "set", "bargs=-A", "-H"],
    ["web1", "set", ""],
    ["web1", "unset"],
    ["web1", "unset", "cpu", "ram"],
    ["web1", "disk"],
    ["web1", "disk", "list", "all"],
    ["web1", "disk", "resize", "disk0"],
    ["start"],
    ["start", "web1"],
    ["list", "disks", "all"],
    ["list", "cpu", "ram"],
    ["list", "-bs"],
    ["list", "--json", "-H"],
    ["info", "web1"],
    ["info", "-bsQ"],
    ["info", "-é"],
    ["info", f"-x{LONG}"],
    ["info", f"--{LONG}"],
    ["info", "-b=1"],
    ["info", "--json=1"],
    ["iso"],
    ["iso", "lst"],
    ["iso", "import"],
    ["iso", "rename"],
    ["firmware", "import", ""],
    ["network"],
    ["network", "web1"],
    ["network", "bridge0"],
    ["network", "bridge0", "join", "em0"],
    ["dataset", "tank"],
    ["dataset", "tank", "destroy"],
    ["lab"],
    ["lab", "destory"],
    ["lab", "create", "--release"],
    ["lab", "create", "a", "b"],
    ["lab", "shell", "--json"],
    ["version", "--dry-run"],
    ["version", "1"],
)


@pytest.mark.parametrize("line", LINES, ids=lambda line: ascii(" ".join(line))[:40])
def test_bad_line_is_refused_in_a_sentence(
    line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CHYVES_LAB", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(line) == 2
    assert list(tmp_path.iterdir()) == []
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("chyves: ") and err.endswith("\n") and err.count("\n") == 1
    assert err.rstrip("\n").isprintable() and err.isascii() and len(err) < 600
    assert "Traceback" not in err


def test_there_are_a_hundred() -> None:
    assert len({tuple(line) for line in LINES}) == len(LINES) >= 100
