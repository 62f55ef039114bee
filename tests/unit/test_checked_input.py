"""Complaint 20: what users give is read as they mean it, or refused; dialogue 05 has a wrong name of an ISO image."""

from __future__ import annotations

import pytest

from chyves.bhyve import bargs
from chyves.errors import ChyvesError
from chyves.properties import Guest
from chyves.section import PropertyError, UnknownProperty, read_text


def test_complaint_20_memory_of_8_is_8_megabytes_and_none_is_smaller() -> None:
    assert Guest("web1", {"ram": "8"}).ram == 8 << 20
    for text in ("8B", "1K", "0", "-1", "8 G", "1024000K8"):
        with pytest.raises(PropertyError, match=r"web1: ram: .* is not possible; give a number"):
            assert Guest("web1", {"ram": text}).ram


def test_complaint_20_a_commented_line_is_passed_over() -> None:
    assert read_text("cpu=2\n#cpu=4\n# disk1_notes=old\n\nram=1G\n", ".cfg") == {"cpu": "2", "ram": "1G"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bargs", "-A --turbo"),
        ("bargs", "-A -Z"),
        ("bhyveload_flags", "-Z"),
        ("bargs", "-A fast"),
    ],
)
def test_complaint_20_unknown_options_of_programs_are_refused(name: str, text: str) -> None:
    guest = Guest("web1", {name: text})
    with pytest.raises(ChyvesError, match=rf"^web1: {name}: "):
        (bargs.bhyve_options if name == "bargs" else bargs.bhyveload_options)(guest)


def test_complaint_20_unknown_properties_and_options_of_disks_are_refused() -> None:
    with pytest.raises(UnknownProperty, match="web1: turbo is no property"):
        Guest("web1", {}).get("turbo")
    with pytest.raises(PropertyError, match="web1: virtio_block_options_disk0: turbo is not possible"):
        assert Guest("web1", {"virtio_block_options_disk0": "turbo"}).virtio_block_options
