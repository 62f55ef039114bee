"""Places on the PCI bus: what holds over any history of a guest, and what 0.2.0 gave."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from chyves.bhyve.facts import Disk, Facts, HostFacts
from chyves.bhyve.launch import launch
from chyves.bhyve.slots import places
from chyves.errors import ChyvesError
from chyves.properties import Guest
from chyves.values import Address, Slots

HOST = HostFacts(release=1403000, cpus=16, memory=64 << 30, unrestricted=True, iommu=True)
SLOTS = range(4, 31)
STANDARD = {"serial": "nmdm50", "uefi_firmware": "BHYVE_UEFI.fd", "uefi_vnc_port": "5900"}

disk_names = st.one_of(st.integers(0, 40).map("disk{}".format), st.integers(0, 3).map("raw-{}.img".format))
nic_names = st.one_of(st.integers(0, 30).map("tap{}".format), st.sampled_from(["vale0:1", "vale0:2", "valex"]))
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
    st.tuples(st.just("mouse"), st.just("")),
    st.tuples(st.just("consolidate"), st.just("")),
)
histories = st.lists(changes, max_size=70)


class History:
    """A guest to which devices come and from which they go; its places are kept as `pci_slots` keeps them."""

    def __init__(self, loader: str, disk_type: str) -> None:
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
            else:
                devices[name] = None
        elif kind in ("mouse", "consolidate"):
            setattr(self, kind, not getattr(self, kind))
        elif self.pcidevs.pop(kind, None) is None:
            self.pcidevs[kind] = name

    def names(self) -> set[str]:
        mouse = {"xhci"} if self.mouse and self.text["loader"] == "uefi" else set()
        return {*self.disks, *self.nics, *self.pcidevs, *mouse}

    def guest(self) -> Guest:
        screen = {"uefi_console_output": "vnc", "uefi_vnc_mouse_type": "usb3"} if self.mouse else {}
        return Guest("web1", self.text | screen | self.pcidevs | {"net_ifaces": ",".join(self.nics)})

    def facts(self) -> Facts:
        return Facts(
            host=HOST,
            name="web1",
            disks=tuple(Disk(name, f"/vm/{name}") for name in self.disks),
            console="/dev/nmdm50",
            firmware="/fw/BHYVE_UEFI.fd",
            null_iso="/iso/null.iso",
            directory="/vm",
            scratch="/run",
            consolidate=self.consolidate,
        )

    def no_room(self, kept: dict[str, Address]) -> bool:
        """Whether there is truly none: no slot is free, or three slots are full of a UEFI guest's disks."""
        taken = {place.slot for name, place in kept.items() if name in self.names()}
        disks = {kept[name].slot for name in self.disks if name in kept}
        functions = Counter(slot for slot, _ in {(place.slot, place.function) for place in kept.values()})
        full = len(disks) == 3 and all(functions[slot] == 8 for slot in disks)
        return len(taken) == len(SLOTS) or (self.text["loader"] == "uefi" and full)


def _bus(argv: tuple[str, ...]) -> list[tuple[int, int]]:
    """Slot and function of each -s of a bhyve line."""
    words = [argv[at + 1].partition(",")[0] for at, word in enumerate(argv) if word == "-s"]
    return [(int(word.partition(":")[0]), int(word.partition(":")[2] or 0)) for word in words]


@given(
    st.sampled_from(["uefi", "bhyveload"]), st.sampled_from(["ahci-hd", "virtio-blk"]), st.integers(0, 25), histories
)
def test_any_history(loader: str, disk_type: str, begin: int, history: list[tuple[str, str]]) -> None:
    state = History(loader, disk_type)
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
        assert all(found[name] == place for name, place in kept.items() if name in found), "a device has moved"
        assert loader != "uefi" or len({found[name].slot for name in state.disks}) <= 3
        kept = found
        state.text["pci_slots"] = Slots().format(found)
    if state.disks:
        bus = _bus(launch(state.guest(), state.facts(), None).bhyve)
        assert len(set(bus)) == len(bus), "a slot is on the line twice"
        assert {slot for slot, _ in bus} == {slot for slot, function in bus if function == 0}


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
    for loader, consolidate, most in (("uefi", False, 24), ("uefi", True, 24 * 32), ("bhyveload", False, 27 * 8)):
        state = History(loader, "ahci-hd")
        state.consolidate = consolidate
        state.disks = dict.fromkeys(f"disk{number}" for number in range(most))
        assert len(places(state.guest(), state.facts())) == most
        state.disks[f"disk{most}"] = None
        try:
            places(state.guest(), state.facts())
        except ChyvesError as error:
            said = str(error)
        assert said.startswith(f"web1: disk{most}: ") and "room" in said


def test_functions_of_one_card_stay_together_when_more_are_given() -> None:
    state = History("bhyveload", "ahci-hd")
    state.pcidevs = {"pcidev_0": "passthru,2/0/1", "pcidev_1": "passthru,3/0/0"}
    found = places(state.guest(), state.facts())
    state.pcidevs["pcidev_2"] = "passthru,2/0/0"
    state.text["pci_slots"] = Slots().format(found)
    more = places(state.guest(), state.facts())
    assert more == {"pcidev_0": Address(4), "pcidev_1": Address(5), "pcidev_2": Address(4, 1)}
