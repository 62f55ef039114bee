"""Targets: what stands in files, and the lines that are made of it."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from io import StringIO
from pathlib import Path

from chyves import names
from chyves.bhyve.facts import Disk, Facts, HostFacts
from chyves.bhyve.launch import Launch, launch
from chyves.errors import ChyvesError
from chyves.host.files import text_of
from chyves.lab.bhyve import command_line, values
from chyves.lab.bhyve.ends import Stop
from chyves.lab.bhyve.getopt import BadOption, Options
from chyves.lab.place import Lab
from chyves.lab.releases import RELEASES
from chyves.properties import Guest
from chyves.section import PropertyError, read_text, write_text
from fuzz.cases import spoken
from fuzz.lines import SECTIONS, every_row, value_words

WHOLE = "serial=nmdm50\nuefi_firmware=x.fd\nuefi_vnc_port=5900\nnet_ifaces=tap50\n"
"""What begins the file of a guest that can start; a later line of a name wins."""
NOWHERE = Path("/nonexistent")
HOST = HostFacts(release=1403000, cpus=16, memory=64 << 30, unrestricted=True, iommu=True, options=frozenset("k"))
DISKS = (Disk("disk0", "/dev/zvol/zroot/chyves/guests/web1/disk0"), Disk("data.raw", "/chyves/web1/img/data.raw"))


@cache
def file_words() -> tuple[str, ...]:
    """The names of all properties with what stands behind them, and values."""
    named = (f"{name}=" for name, _ in every_row())
    numbered = (f"{row.replace('{n}', '0')}=" for section in SECTIONS for row in section.numbered)
    return ("\n", "#", *named, *numbered, *value_words())


def property_file(case: bytes) -> None:
    """A file of properties is read, and is then written and read again as the same; or it is a BadFile."""
    data = spoken(case, file_words()).encode(errors="surrogateescape")
    try:
        text = read_text(text_of(data, Path("file")), "file")
    except ChyvesError as error:
        assert "\n" not in str(error)
        return
    again = write_text(text)
    assert read_text(again, "file") == text and write_text(read_text(again, "file")) == again
    for kind in SECTIONS:
        section = kind("web1", text)
        assert dict(section).keys() >= kind.table.keys() and set(section.unknown()) <= text.keys()
        with suppress(PropertyError):
            section.check()
        for name in (*kind.table, *kind.numbered):
            with suppress(PropertyError):
                getattr(section, attribute_of(kind, name))


def attribute_of(kind: type, name: str) -> str:
    """What a row is called in Python."""
    return next(key for base in kind.__mro__ for key, row in vars(base).items() if getattr(row, "name", None) == name)


def start(case: bytes) -> None:
    """What a file makes of a guest's start is lines that the programs read as they were meant, or a refusal."""
    with suppress(ChyvesError):
        text = read_text(WHOLE + spoken(case, file_words()), "file")
        facts = Facts(
            name="web1",
            host=HOST,
            disks=DISKS,
            console="/dev/nmdm50",
            firmware="/chyves/Firmware/x.fd/x.fd",
            null_iso=None,
            directory="/chyves/guests/web1",
            scratch="/var/run/chyves/web1",
        )
        for medium in (None, "/chyves/ISO/x.iso/x.iso"):
            check_lines(launch(Guest("web1", text), facts, medium))


def check_lines(made: Launch) -> None:
    """Both lines end with the guest's name as their one word that is no option, and no word has a line end in it."""
    for argv in filter(None, (made.loader, made.bhyve)):
        assert argv[-1] == names.vm("web1") and not any(c in word for word in argv for c in "\0\n\r")
        assert not any(word.startswith("fbuf,") and "password=" in word for word in argv)
    options = Options(list(made.bhyve[1:]), "aehuwxACDHIMPSWYk:f:o:p:G:c:s:m:n:l:K:U:r:")
    with suppress(BadOption):
        given = list(options)
        assert options.rest == [names.vm("web1")]
        assert [value for letter, value in given if letter == "c"] and sum(letter == "m" for letter, _ in given) == 1
    for path in made.files:
        assert path.startswith("/var/run/chyves/web1/")


BHYVE_WORDS = (
    *(f"-{letter}\0" for letter in "aehuwxACDHIPSWYkfopGcsmlKUMnb"),
    *"pci.0.2.0 .device = , cpus= sockets= hd: cd: tcp= password= com1 bootrom tpm %(name) %% config.dump=1".split(),
    *"hostbridge lpc ahci-hd ahci ahci-cd virtio-net virtio-blk nvme fbuf xhci passthru uart e1000".split(),
    *"3:0, 4, 0:31:7, tap50 /dev/nmdm50A 2G chy-web1 \0 id=0 size= sectorsize=512/4096 rfb= mac= ram= ppt0".split(),
)


def bhyve_line(case: bytes) -> None:
    """Every line of bhyve is a tree of variables, or ends the lab's bhyve with a status; of each release."""
    argv = [*(word for word in spoken(case[1:], BHYVE_WORDS).split("\0") if word), "chy-web1"]
    release = sorted(RELEASES)[case[0] % len(RELEASES)] if case else sorted(RELEASES)[0]
    lab = Lab(NOWHERE, release, "zroot")
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            config = command_line.read(lab, argv)
            values.memory_size(config.get("memory.size") or "")
            values.topology(config)
            assert config.get("name") is not None
            for line in config.dump():
                config.expand(line)
    except Stop as stop:
        assert 0 <= stop.status <= 71
