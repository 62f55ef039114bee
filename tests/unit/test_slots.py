"""Places on the PCI buses: what holds over any history of a guest, and what 0.2.0 gave."""

from __future__ import annotations

from collections import Counter
from functools import partial
from hashlib import md5 as any_md5

from hypothesis import given
from hypothesis import strategies as st

from chyves.addresses import Address, Slots
from chyves.bhyve.facts import Disk, Facts, HostFacts
from chyves.bhyve.identity import written_down
from chyves.bhyve.launch import launch
from chyves.bhyve.slots import places
from chyves.errors import ChyvesError
from chyves.lab.bhyve.disks import checksum
from chyves.properties import Guest

md5 = partial(any_md5, usedforsecurity=False)
HOST = HostFacts(release=1500068, cpus=16, memory=64 << 30, unrestricted=True, iommu=True)
SLOTS = range(4, 31)
TYPES = ("ahci-hd", "virtio-blk", "nvme")
STANDARD = {"serial": "nmdm50", "uefi_firmware": "BHYVE_UEFI.fd", "uefi_vnc_port": "5900"}
STANDARD |= {"netgraph0_path": "br0:", "netgraph0_peerhook": "link2"}

disk_names = st.one_of(st.integers(0, 40).map("disk{}".format), st.integers(0, 3).map("raw-{}.img".format))
nic_names = st.one_of(
    st.integers(0, 30).map("tap{}".format), st.sampled_from(["vale0:1", "valex", "slirp0", "netgraph0"])
)
peripherals = st.one_of(
    st.integers(0, 9).map(lambda number: (f"share{number}", f"s{number}=/usr/src")),
    st.sampled_from([("virtio_rnd", "yes"), ("audio_play", "/dev/dsp0")]),
)
DEVICES = {"virtio_rnd": "rnd", "audio_play": "audio"}
pcidevs = st.one_of(
    st.tuples(st.integers(0, 30).map("pcidev_{}".format), st.sampled_from(["virtio-rnd", "hda", "nvme,ram=64"])),
    st.tuples(st.integers(31, 60), st.integers(2, 4)).map(
        lambda both: (f"pcidev_{both[0]}", f"passthru,{both[1]}/{both[0] // 8}/{both[0] % 8}")
    ),
)
changes = st.one_of(
    st.tuples(st.just("disk"), disk_names),
    st.tuples(st.just("nic"), nic_names),
    pcidevs,
    peripherals,
    st.tuples(st.just("mouse"), st.just("")),
    st.tuples(st.just("consolidate"), st.just("")),
    st.tuples(st.just("type"), st.tuples(disk_names, st.sampled_from(["", *TYPES])).map("=".join)),
    st.tuples(st.just("rename"), st.sampled_from(["web1", "www", "db"])),
)
histories = st.lists(changes, max_size=70)


class History:
    """A guest to which devices come and from which they go; its places are kept as `pci_slots` keeps them."""

    def __init__(self, loader: str, disk_type: str) -> None:
        self.name = "web1"
        self.text = STANDARD | {"loader": loader, "bhyve_disk_type": disk_type}
        self.disks: dict[str, None] = {}
        self.nics: dict[str, None] = {}
        self.pcidevs: dict[str, str] = {}
        self.mouse = self.consolidate = False

    def turn(self, kind: str, name: str) -> None:
        """A device that is there goes, one that is not comes."""
        if kind in ("disk", "nic"):
            devices = self.disks if kind == "disk" else self.nics
            if name in devices:
                del devices[name]
                for property in [text for text in self.text if text.startswith(f"{name}_")]:
                    del self.text[property]
            else:
                devices[name] = None
                self.text |= {key: text for key, text in STANDARD.items() if key.startswith(f"{name}_")}
        elif kind in ("mouse", "consolidate"):
            setattr(self, kind, not getattr(self, kind))
        elif kind == "type":
            self.types(*name.split("="))
        elif kind == "rename":
            written = written_down(self.guest(), self.facts())
            self.pcidevs |= {key: text for key, text in written.items() if key in self.pcidevs}
            self.text |= {key: text for key, text in written.items() if key not in self.pcidevs}
            self.name = name
        elif self.pcidevs.pop(kind, None) is None:
            self.pcidevs[kind] = name

    def types(self, disk: str, new: str) -> None:
        """A disk becomes another device; its own type is taken out for a volume, and a raw image has none."""
        if disk.startswith("disk"):
            self.text.pop(f"{disk}_type", None)
            self.text |= {f"{disk}_type": new} if new and disk in self.disks else {}

    def names(self) -> set[str]:
        mouse = {"xhci"} if self.mouse and self.text["loader"] == "uefi" else set()
        return {*self.disks, *self.nics, *(DEVICES.get(name, name) for name in self.pcidevs), *mouse}

    def guest(self) -> Guest:
        screen = {"uefi_console_output": "vnc", "uefi_vnc_mouse_type": "usb3"} if self.mouse else {}
        return Guest(self.name, self.text | screen | self.pcidevs | {"net_ifaces": ",".join(self.nics)})

    def facts(self) -> Facts:
        return Facts(
            host=HOST,
            name=self.name,
            disks=tuple(Disk(name, f"/{self.name}/{name}") for name in self.disks),
            console="/dev/nmdm50",
            firmware="/fw/BHYVE_UEFI.fd",
            null_iso="/iso/null.iso",
            directory="/vm",
            scratch="/run",
            consolidate=self.consolidate,
        )

    def no_room(self, kept: dict[str, Address]) -> bool:
        """Whether there is truly none for disks that UEFI firmware finds: on three slots of bus 0."""
        taken = {place.board for name, place in kept.items() if name in self.names() and place.bus == 0}
        disks = {kept[name].board for name in self.disks if name in kept}
        functions = Counter(spot[:2] for spot in {place.spot for place in kept.values()})
        full = len(disks) == 3 and all(functions[board] == 8 for board in disks)
        return self.text["loader"] == "uefi" and (full or len(taken) == len(SLOTS))


def _bus(argv: tuple[str, ...]) -> dict[tuple[int, int, int], str]:
    """What each -s of a bhyve line puts where: bus, slot and function; twice at one place is refused as by bhyve."""
    found: dict[tuple[int, int, int], str] = {}
    for text in (argv[at + 1] for at, word in enumerate(argv) if word == "-s"):
        place, _, device = text.partition(",")
        numbers = [int(number) for number in place.split(":")]
        bus, slot, function = numbers if len(numbers) == 3 else (0, *numbers, 0)[:3]
        assert (bus, slot, function) not in found, "a slot is on the line twice"
        found[bus, slot, function] = device
    return found


def _seen(state: History) -> set[tuple[object, ...]]:
    """What tells a guest its devices apart: place, device, and what that is given, or bhyve makes up (its sources)."""
    name, found = f"chy-{state.name}", set()
    for spot, text in _bus(launch(state.guest(), state.facts(), None).bhyve).items():
        kind, _, conf = text.partition(",")
        for port, part in enumerate(conf.removeprefix("hd:").split(",hd:") if kind == "ahci" else [conf]):
            path, *options = part.split(",")
            given = dict(option.partition("=")[::2] for option in options)
            own: tuple[str, ...] = ()
            if kind == "nvme":
                eui64 = f"589cfc20{checksum(name + ''.join(map(str, spot))):04x}0001"
                number = bytes.fromhex(given["eui64"][2:])[::-1].hex() if "eui64" in given else eui64
                own = (given.get("ser", f"NVME-{spot[1]}-{spot[2]}"), number)
            elif kind == "virtio-net":
                digest = md5(f"{spot[1]}-{spot[2]}-{name}".encode()).hexdigest()
                own = (given.get("mac", f"00:a0:98:{digest[:2]}:{digest[2:4]}:{digest[4:6]}"),)
            elif path.startswith("/"):
                digest = md5(path.encode()).hexdigest().upper()
                own = (given.get("ser", f"BHYVE-{digest[:4]}-{digest[4:8]}-{digest[8:12]}"),)
            found.add((spot, port, kind, *own))
    return found


@given(
    st.sampled_from(["uefi", "bhyveload"]), st.sampled_from(TYPES), st.integers(0, 25), st.integers(0, 40), histories
)
def test_any_history(loader: str, disk_type: str, begin: int, cards: int, history: list[tuple[str, str]]) -> None:
    """Complaint 3: devices come, go, become others and get other names, and none that stays ever moves."""
    state = History(loader, disk_type)
    state.pcidevs = {f"pcidev_{100 + number}": f"passthru,9/{number % 32}/{number // 32}" for number in range(cards)}
    state.disks = dict.fromkeys(f"disk{number}" for number in range(begin // 2))
    state.nics = dict.fromkeys(f"tap{number}" for number in range(begin))
    kept: dict[str, Address] = {}
    for change in [("mouse", ""), *history]:
        state.turn(*change)
        try:
            found = places(state.guest(), state.facts())
        except ChyvesError:
            assert state.no_room(kept)
            state.turn(*change)
            continue
        assert set(found) == state.names()
        assert Slots().parse(Slots().format(found)) == found, "two devices share a place"
        assert all(place.slot in SLOTS and place.function in range(8) for place in found.values())
        assert all(place.port is None or place.port in range(32) for place in found.values())
        moved = {name for name, place in kept.items() if name in found and found[name] != place}
        left = {name for name in moved if kept[name].port is not None and _type(state, name) != "ahci-hd"}
        assert moved == left, "a device has moved"
        assert loader != "uefi" or len({found[name].board for name in state.disks}) <= 3
        kept = found
        state.text["pci_slots"] = Slots().format(found)
    if state.disks:
        line = launch(state.guest(), state.facts(), None).bhyve
        bus = _bus(line)
        assert {spot[:2] for spot in bus} == {spot[:2] for spot in bus if spot[2] == 0}
        assert ("-Y" in line) == any(spot[0] for spot in bus)


def _type(state: History, disk: str) -> str:
    return state.text.get(f"{disk}_type", state.text["bhyve_disk_type"])


@given(st.sampled_from(TYPES), st.booleans(), histories)
def test_another_name_changes_nothing_that_the_guest_sees(
    disk_type: str, consolidate: bool, history: list[tuple[str, str]]
) -> None:
    """Complaint 6: serial numbers, the EUI-64 of NVMe and Ethernet addresses, through any number of renames."""
    state = History("bhyveload", disk_type)
    state.consolidate = consolidate
    state.disks = dict.fromkeys(["disk0", "disk1", "raw-0.img"])
    state.nics = {"tap0": None}
    for change in history:
        if change[0] != "rename":
            state.turn(*change)
        state.text["pci_slots"] = Slots().format(places(state.guest(), state.facts()))
        if change[0] == "rename":
            before = _seen(state)
            state.turn(*change)
            assert _seen(state) == before


@given(st.sampled_from(["uefi", "bhyveload"]), st.integers(0, 24), st.integers(0, 3), st.booleans())
def test_the_order_in_which_facts_list_disks_does_not_matter(loader: str, disks: int, nics: int, swap: bool) -> None:
    one, two = History(loader, "ahci-hd"), History(loader, "ahci-hd")
    for state, order in ((one, range(disks)), (two, reversed(range(disks)) if swap else range(disks))):
        state.disks = dict.fromkeys(f"disk{number}" for number in order)
        state.nics = dict.fromkeys(f"tap{number}" for number in range(nics))
    assert places(one.guest(), one.facts()) == places(two.guest(), two.facts())


@given(st.integers(4, 24))
def test_new_uefi_guest_spreads_its_disks_as_0_2_0_did(count: int) -> None:
    state = History("uefi", "ahci-hd")
    state.disks = dict.fromkeys(f"disk{number}" for number in range(count))
    together = min(8, count // 3 + 1)
    found = places(state.guest(), state.facts())
    assert found == {f"disk{n}": Address(4 + n // together, n % together) for n in range(count)}


def test_room_for_as_many_disks_as_it_says() -> None:
    for consolidate, most in ((False, 24), (True, 24 * 32)):
        state = History("uefi", "ahci-hd")
        state.consolidate = consolidate
        state.disks = dict.fromkeys(f"disk{number}" for number in range(most))
        assert len(places(state.guest(), state.facts())) == most
        state.disks[f"disk{most}"] = None
        try:
            places(state.guest(), state.facts())
        except ChyvesError as error:
            said = str(error)
        assert said.startswith(f"web1: disk{most}: ") and "room" in said


def test_bus_0_is_full_before_there_is_another() -> None:
    state = History("bhyveload", "virtio-blk")
    state.disks = dict.fromkeys(f"disk{number}" for number in range(27 * 8 + 2))
    found = places(state.guest(), state.facts())
    assert [place for place in found.values() if place.bus] == [Address(4, bus=1), Address(4, 1, bus=1)]
    assert Slots().format(found).endswith(",disk216=1:4:0,disk217=1:4:1")


def test_functions_of_one_card_stay_together_when_more_are_given() -> None:
    state = History("bhyveload", "ahci-hd")
    state.pcidevs = {"pcidev_0": "passthru,2/0/1", "pcidev_1": "passthru,3/0/0"}
    found = places(state.guest(), state.facts())
    state.pcidevs["pcidev_2"] = "passthru,2/0/0"
    state.text["pci_slots"] = Slots().format(found)
    more = places(state.guest(), state.facts())
    assert more == {"pcidev_0": Address(4), "pcidev_1": Address(5), "pcidev_2": Address(4, 1)}
