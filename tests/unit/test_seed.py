"""What the cloud-init of a guest is told, beside the golden files of tests/golden/seed."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from chyves.bhyve.facts import Facts
from chyves.bhyve.launch import launch
from chyves.bhyve.seed import image
from chyves.errors import ChyvesError
from chyves.properties import Guest
from tests.unit.test_launch import GOLDEN
from tests.unit.test_launch import _case as case_of

ALL_MADE = case_of(GOLDEN / "seed" / "all-made.txt")
MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


def told(guest: Guest = ALL_MADE.guest, **files: str) -> dict[str, str]:
    """The files that a guest is told, by name, where the administrator has written these."""
    made = image(guest, seeded(**files))
    assert made is not None
    return {path.rpartition("/")[2]: text for path, text in made.files.items()}


def seeded(**files: str) -> Facts:
    return replace(ALL_MADE.facts, seed={name.replace("_", "-"): text for name, text in files.items()})


def test_complaint_7_each_card_is_told_by_its_address_and_the_guest_by_what_lasts() -> None:
    """Each address of bhyve's line is told once, as text; a new name is no new instance, and a new UUID is one."""
    network = told()["network-config"]
    given = [mac for word in ALL_MADE.launch().bhyve for mac in MAC.findall(word)]
    assert len(given) == 3 and len(MAC.findall(network)) == 4  # bhyve makes one up
    assert all(network.count(f'macaddress: "{mac}"') == 1 for mac in given)
    assert "gateway4" not in network and network.count("dhcp4: true") == 4
    renamed = told(Guest("mail", ALL_MADE.guest.text))["meta-data"]
    assert renamed == told()["meta-data"].replace('"web1"', '"mail"')
    cloned = told(ALL_MADE.guest.with_changes({"uuid": "0b1c5ec0-7b8e-11f0-9c6e-589cfc000002"}))["meta-data"]
    assert cloned.splitlines()[0] != renamed.splitlines()[0]


def test_complaint_7_each_file_can_be_written_and_changes_no_other() -> None:
    for name in ("user_data", "meta_data", "network_config", "vendor_data"):
        changed = told(ALL_MADE.guest, **{name: "#!mine\n"})
        assert changed.pop(name.replace("_", "-")) == "#!mine\n"
        assert changed == {key: text for key, text in told().items() if key != name.replace("_", "-")}


@pytest.mark.parametrize("name", ["1", "1.5", "no", "0x10", "null", "a.b-c_d"])
def test_a_name_is_told_as_text_whatever_it_looks_like(name: str) -> None:
    assert f'local-hostname: "{name}"\n' in told(Guest(name, ALL_MADE.guest.text))["meta-data"]


@pytest.mark.parametrize(
    "text", ["#cloud-config\n{}", "#!/bin/sh\n", "## template: jinja\n#cloud-config\n", "#include\nhttps://a.example/b"]
)
def test_kinds_of_user_data(text: str) -> None:
    """A kind that cloud-init knows is passed on; with something before it, it knows none."""
    assert told(user_data=text)["user-data"] == text
    for odd in (f"\n{text}", f" {text}", f"\ufeff{text}"):
        with pytest.raises(ChyvesError, match="does not begin as what cloud-init heeds does"):
            launch(ALL_MADE.guest, seeded(user_data=odd), None)
