"""The report for those who mend chyves, on hosts of which parts are broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.host_commands import chyves, done, environment, refused


def sections(report: str) -> dict[str, str]:
    """What is below each heading."""
    parts = report.split("\n== ")
    return {title: text for title, _, text in (part.partition("\n") for part in parts[1:])}


def test_a_host_without_datasets_is_told_of_as_far_as_it_goes(lab: Lab) -> None:
    found = sections(done(lab, "debug", "--file", "-"))
    assert "zroot" in found["pools"]
    assert "hw.physmem=" in found["host"]
    assert "em0:" in found["interfaces"]
    assert "inet" not in found["interfaces"]


def test_what_fails_is_said_and_keeps_nothing_else_out(lab: Lab) -> None:
    done(lab, "dataset", "zroot", "install")
    done(lab, "web1,web2", "create", "1G")
    guests = lab.top / "root" / "chyves" / "zroot" / "guests"
    (guests / "web1" / ".config" / ".cfg").write_text("no property\n")
    (guests.parent / ".config" / "global.cfg").write_text("neither is this\n")
    for program in ("bhyve", "kldstat", "freebsd-version"):
        (lab.bin / program).rename(lab.top / program)
    try:
        found = sections(done(lab, "debug", "--file", "-"))
    finally:
        for program in ("bhyve", "kldstat", "freebsd-version"):
            (lab.top / program).rename(lab.bin / program)
    failed = {title for title, text in found.items() if "this could not be found out: " in text}
    assert {"modules", "guest web1: properties", "global properties", "versions", "bhyve"} <= failed
    assert "cpu=1" in found["guest web2: properties"]
    assert "zroot" in found["pools"]


def test_the_end_of_the_latest_log_is_there_without_secrets(lab: Lab) -> None:
    done(lab, "dataset", "zroot", "install")
    done(lab, "web1,web2", "create", "1G")
    logs = lab.top / "root" / "chyves" / "zroot" / "guests" / "web1" / "logs"
    (logs / "209901.log").write_text("an old line\n")
    (logs / "209902.log").write_text("".join(f"line {n}\n" for n in range(60)) + "token=sesame\n")
    found = sections(done(lab, "debug", "web1", "--file", "-"))
    assert found["guest web1: log"].splitlines() == [*(f"line {n}" for n in range(11, 60)), "token=***"]
    assert "guest web2: log" not in found


def test_nothing_is_written_over_and_no_link_is_followed(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link"):
        assert "is there already; choose another name" in refused(lab, "debug", "--file", str(tmp_path / name))
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_the_report_is_for_its_owner_alone(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert environment(lab)["CHYVES_LAB"]
    path = Path(chyves(lab, "debug").stdout.strip())
    assert path.parent == tmp_path.resolve()
    assert path.stat().st_mode & 0o777 == 0o600
