"""ifconfig, line by line as reference freebsd.md section 4 has it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
Ifconfig = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ifconfig_of(new_lab: Callable[..., Lab], program_in: Program) -> Callable[[str], Ifconfig]:
    """ifconfig of another release: `ifconfig_of("11.0")("tap create")`."""

    def of(release: str) -> Ifconfig:
        lab = new_lab(release)
        return lambda line: program_in(lab, "ifconfig", *line.split())

    return of


def refused(answer: subprocess.CompletedProcess[str], words: str) -> bool:
    return (answer.returncode, answer.stdout, answer.stderr) == (1, "", f"ifconfig: {words}\n")


def silent(answer: subprocess.CompletedProcess[str]) -> bool:
    return (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


class TestListing:
    def test_names_are_on_one_line(self, ifconfig: Ifconfig) -> None:
        assert ifconfig("-l").stdout == "em0 em1 lo0\n"
        assert ifconfig("-l -u").stdout == "em0 lo0\n"
        assert ifconfig("-ld").stdout == "em1\n"

    def test_a_group_is_listed_one_per_line(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap create group vm-port")
        ifconfig("tap create group vm-port")
        assert ifconfig("-g vm-port").stdout == "tap0\ntap1\n"
        assert silent(ifconfig("-g nobody"))

    def test_cloners(self, ifconfig: Ifconfig) -> None:
        ifconfig("bridge create")
        assert {"bridge", "tap", "vlan"} <= set(ifconfig("-C").stdout.split())

    def test_all_blocks(self, ifconfig: Ifconfig) -> None:
        assert ifconfig("-a").stdout == ifconfig("").stdout
        assert re.findall(r"^(\S+): flags=", ifconfig("-a").stdout, re.M) == ["em0", "em1", "lo0"]

    def test_a_tap_as_a_block(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create descr chyves-vm1-net0 ether 58:9c:fc:10:ff:aa up")
        head, *rest = ifconfig("tap0").stdout.splitlines()
        assert re.fullmatch(r"tap0: flags=[0-9a-f]+<UP,BROADCAST,SIMPLEX,MULTICAST> metric 0 mtu 1500", head)
        assert all(line.startswith("\t") for line in rest)
        assert [line.strip() for line in rest] == [
            "description: chyves-vm1-net0",
            "options=80000<LINKSTATE>",
            "ether 58:9c:fc:10:ff:aa",
            "groups: tap",
            "media: Ethernet 1000baseT <full-duplex>",
            "status: no carrier",
            "nd6 options=29<PERFORMNUD,IFDISABLED,AUTO_LINKLOCAL>",
        ]

    def test_a_bridge_as_a_block(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create")
        ifconfig("bridge0 create addm tap0 up")
        text = ifconfig("bridge0").stdout
        assert "\tmember: tap0 flags=143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>\n\t        ifmaxaddr 0 port 4 " in text
        assert "\tid 00:00:00:00:00:00 priority 32768 hellotime 2 fwddelay 15\n" in text
        assert "PROMISC" in ifconfig("tap0").stdout

    def test_newer_releases_tell_of_the_link(self, ifconfig: Ifconfig, ifconfig_of: Callable[[str], Ifconfig]) -> None:
        assert "LOWER_UP" in ifconfig("em0").stdout
        assert "LOWER_UP" not in ifconfig_of("13.2")("em0").stdout


class TestCreate:
    def test_a_family_takes_the_lowest_free_number_and_tells_it(self, ifconfig: Ifconfig, lab: Lab) -> None:
        assert [ifconfig("tap create").stdout for _ in range(3)] == ["tap0\n", "tap1\n", "tap2\n"]
        ifconfig("tap1 destroy")
        assert ifconfig("tap create").stdout == "tap1\n"
        assert ifconfig("bridge create").stdout == "bridge0\n"
        assert (lab.root / "dev/tap1").exists()

    def test_a_name_that_was_given_is_not_told(self, ifconfig: Ifconfig) -> None:
        assert silent(ifconfig("tap5 create"))

    def test_an_existing_one(self, ifconfig: Ifconfig, ifconfig_of: Callable[[str], Ifconfig]) -> None:
        ifconfig("tap5 create")
        assert refused(ifconfig("tap5 create"), "interface tap5 already exists")
        old = ifconfig_of("11.0")
        old("tap5 create")
        assert refused(old("tap5 create"), "SIOCIFCREATE2: File exists")

    @pytest.mark.parametrize("name", ["x", "nonesuch0", "tap05", "em7", "9"])
    def test_a_bad_name(self, ifconfig: Ifconfig, name: str) -> None:
        assert refused(ifconfig(f"{name} create"), f"SIOCIFCREATE2 ({name}): Invalid argument")

    def test_a_name_that_is_too_long(self, ifconfig: Ifconfig) -> None:
        assert silent(ifconfig("tap123456789012 create"))
        assert "too long" in ifconfig("tap1234567890123 create").stderr

    def test_one_call_does_it_all_and_tells_the_final_name(self, program: Program, lab: Lab) -> None:
        words = ["tap", "create", "name", "chv0", "descr", "two words", "group", "vm-port", "up"]
        assert program("ifconfig", *words).stdout == "chv0\n"
        text = program("ifconfig", "chv0").stdout
        assert "\tdescription: two words\n" in text
        assert "\tgroups: tap vm-port\n" in text
        assert (lab.root / "dev/tap0").exists()
        assert (lab.root / "dev/chv0").exists()

    def test_what_was_done_before_a_failure_stays(self, ifconfig: Ifconfig) -> None:
        assert ifconfig("tap create descr first group ends-in-1 up").returncode == 1
        text = ifconfig("tap0").stdout
        assert "description: first" in text
        assert "<UP" not in text

    def test_the_family_s_module_is_loaded_on_demand(self, program: Program) -> None:
        assert program("kldstat", "-qm", "if_bridge").returncode == 1
        program("ifconfig", "bridge", "create")
        assert program("kldstat", "-qm", "if_bridge").returncode == 0

    def test_where_the_module_is_missing(self, program: Program, lab: Lab) -> None:
        (lab.root / "boot/kernel/if_bridge.ko").unlink()
        answer = program("ifconfig", "bridge", "create")
        assert refused(answer, "SIOCIFCREATE2 (bridge): Invalid argument")

    def test_a_pair_has_two_ends_that_go_together(self, ifconfig: Ifconfig) -> None:
        assert ifconfig("epair create").stdout == "epair0a\n"
        assert "epair0a epair0b" in ifconfig("-l").stdout
        assert silent(ifconfig("epair0b destroy"))
        assert "epair" not in ifconfig("-l").stdout

    def test_a_vlan_by_name_or_by_words(self, ifconfig: Ifconfig) -> None:
        assert ifconfig("em0.10 create").stdout == ""
        assert ifconfig("vlan create vlan 20 vlandev em0").stdout == "vlan0\n"
        assert silent(ifconfig("vlan7 create vlan 10 vlandev em1"))
        assert "\tvlan: 20 vlanproto: 802.1q vlanpcp: 0 parent interface: em0\n" in ifconfig("vlan0").stdout

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("vlan create vlan 10 vlandev em0", "File exists"),
            ("vlan create vlan 4095 vlandev em0", "Invalid argument"),
            ("vlan create vlan 0 vlandev em0", "Invalid argument"),
            ("vlan create vlandev em0", "must specify a tag"),
            ("vlan create vlan 9", "must specify a parent device"),
            ("vlan create vlan 9 vlandev em9", "Device not configured"),
            ("em9.10 create", "Invalid argument"),
        ],
    )
    def test_a_vlan_that_cannot_be(self, ifconfig: Ifconfig, line: str, words: str) -> None:
        ifconfig("em0.10 create")
        before = ifconfig("-l").stdout
        answer = ifconfig(line)
        assert answer.returncode == 1
        assert words in answer.stderr
        assert ifconfig("-l").stdout == before


class TestVerbs:
    def test_up_and_down(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create")
        assert silent(ifconfig("tap0 up"))
        assert "tap0" in ifconfig("-l -u").stdout
        assert silent(ifconfig("tap0 down"))
        assert "tap0" in ifconfig("-l -d").stdout

    @pytest.mark.parametrize("line", ["tap9", "tap9 up", "tap9 destroy", "tap9 mtu 9000"])
    def test_a_missing_interface(self, ifconfig: Ifconfig, line: str) -> None:
        assert refused(ifconfig(line), "interface tap9 does not exist")

    def test_hardware_is_not_destroyed(self, ifconfig: Ifconfig) -> None:
        assert refused(ifconfig("em0 destroy"), "SIOCIFDESTROY: Invalid argument")
        assert "em0" in ifconfig("-l").stdout

    def test_members_come_and_go(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create")
        ifconfig("tap1 create")
        ifconfig("bridge0 create")
        assert silent(ifconfig("bridge0 addm tap0 addm tap1 private tap1"))
        members = re.findall(r"member: (\S+) flags=\w+<(\S+)>", ifconfig("bridge0").stdout)
        assert [name for name, _ in members] == ["tap0", "tap1"]
        assert "PRIVATE" not in members[0][1]
        assert "PRIVATE" in members[1][1]
        assert silent(ifconfig("bridge0 deletem tap0"))
        assert silent(ifconfig("tap1 destroy"))
        assert "member" not in ifconfig("bridge0").stdout

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("bridge0 addm tap9", "BRDGADD tap9: No such file or directory"),
            ("bridge0 addm tap0", "BRDGADD tap0: File exists"),
            ("bridge1 addm tap0", "BRDGADD tap0: Device busy"),
            ("bridge0 addm lo0", "BRDGADD lo0: Invalid argument"),
            ("bridge0 addm bridge1", "BRDGADD bridge1: Invalid argument"),
            ("tap0 addm em1", "BRDGADD em1: Invalid argument"),
            ("bridge1 deletem tap0", "BRDGDEL tap0: No such file or directory"),
            ("bridge0 deletem tap9", "BRDGDEL tap9: No such file or directory"),
        ],
    )
    def test_members_that_cannot_be(self, ifconfig: Ifconfig, line: str, words: str) -> None:
        ifconfig("tap0 create")
        ifconfig("bridge0 create addm tap0")
        ifconfig("bridge1 create")
        assert refused(ifconfig(line), words)

    def test_a_span_port_is_taken(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create")
        ifconfig("bridge0 create span tap0")
        ifconfig("bridge1 create")
        assert refused(ifconfig("bridge1 addm tap0"), "BRDGADD tap0: Device busy")

    def test_a_mtu_that_cannot_be_is_a_warning(self, ifconfig: Ifconfig) -> None:
        answer = ifconfig("em0 mtu 100000 descr still-done")
        assert (answer.returncode, answer.stderr) == (0, "ifconfig: ioctl (set mtu): Invalid argument\n")
        assert "mtu 1500" in ifconfig("em0").stdout
        assert "still-done" in ifconfig("em0").stdout

    def test_a_name_that_is_taken_is_a_warning(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create")
        answer = ifconfig("tap0 name em0")
        assert (answer.returncode, answer.stderr) == (0, "ifconfig: ioctl (set name): File exists\n")
        assert "tap0" in ifconfig("-l").stdout

    def test_a_renamed_interface_keeps_its_place(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create")
        ifconfig("bridge0 create addm tap0")
        assert ifconfig("tap0 name vm1").returncode == 0
        assert "member: vm1 " in ifconfig("bridge0").stdout
        assert refused(ifconfig("tap0 up"), "interface tap0 does not exist")

    def test_description(self, program: Program) -> None:
        program("ifconfig", "tap0", "create", "description", "vm/web1 net 0")
        assert "\tdescription: vm/web1 net 0\n" in program("ifconfig", "tap0").stdout
        program("ifconfig", "tap0", "-description")
        assert "description" not in program("ifconfig", "tap0").stdout
        long = program("ifconfig", "tap0", "description", "x" * 1024)
        assert (long.returncode, long.stderr) == (0, "ifconfig: ioctl (set descr): File name too long\n")

    def test_groups(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create group vm-port")
        assert silent(ifconfig("tap0 -group vm-port"))
        assert "groups: tap\n" in ifconfig("tap0").stdout
        assert "may not end in a digit" in ifconfig("tap0 group vm0").stderr
        assert "too long" in ifconfig("tap0 group sixteen-letters-").stderr

    def test_hardware_address(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create ether 58:9C:FC:0:1:2")
        assert "\tether 58:9c:fc:00:01:02\n" in ifconfig("tap0").stdout
        assert ifconfig("tap0 ether 01:00:00:00:00:01").returncode == 1
        assert ifconfig("tap0 ether rubbish").returncode == 1
        ifconfig("tap0 link random")
        assert "58:9c:fc:00:01:02" not in ifconfig("tap0").stdout

    @pytest.mark.parametrize("word", ["desc", "descriptio", "addme", "nonesuch", "UP"])
    def test_verbs_are_exact_words(self, ifconfig: Ifconfig, word: str) -> None:
        assert refused(ifconfig(f"em1 {word}"), f"{word}: bad value")

    @pytest.mark.parametrize("word", ["mtu", "name", "addm", "description", "group"])
    def test_a_verb_without_its_word(self, ifconfig: Ifconfig, word: str) -> None:
        assert refused(ifconfig(f"em1 {word}"), f"'{word}' requires argument")

    def test_words_are_executed_from_left_to_right(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create up down mtu 9000 mtu 1400")
        assert re.match(r"tap0: flags=\w+<BROADCAST,.* mtu 1400$", ifconfig("tap0").stdout, re.M)


class TestAddresses:
    def test_an_address_is_set_added_and_removed(self, ifconfig: Ifconfig) -> None:
        ifconfig("bridge0 create")
        assert silent(ifconfig("bridge0 inet 10.0.0.1/24"))
        assert "\tinet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255\n" in ifconfig("bridge0").stdout
        ifconfig("bridge0 10.0.1.1 netmask 255.255.0.0 alias")
        assert "inet 10.0.1.1 netmask 0xffff0000" in ifconfig("bridge0").stdout
        ifconfig("bridge0 inet 10.0.0.1 -alias")
        assert "10.0.0.1 " not in ifconfig("bridge0").stdout
        assert "Can't assign requested address" in ifconfig("bridge0 inet 10.9.9.9 delete").stderr

    def test_a_second_address_without_alias_replaces_the_first(self, ifconfig: Ifconfig) -> None:
        ifconfig("em0 inet 10.0.0.1/24")
        ifconfig("em0 inet 10.0.0.2/24")
        assert re.findall(r"inet (\S+)", ifconfig("em0").stdout) == ["10.0.0.2"]

    def test_ipv6(self, ifconfig: Ifconfig) -> None:
        ifconfig("em0 inet6 fd00::1 prefixlen 48 up")
        assert "\tinet6 fd00::1 prefixlen 48\n" in ifconfig("em0").stdout

    def test_a_member_may_have_one_but_not_in_15(
        self, ifconfig: Ifconfig, ifconfig_of: Callable[[str], Ifconfig]
    ) -> None:
        ifconfig("bridge0 create addm em0")
        assert silent(ifconfig("em0 inet 10.0.0.1/24"))
        new = ifconfig_of("15.0")
        new("bridge0 create addm em0")
        assert refused(new("em0 inet 10.0.0.1/24"), "ioctl (SIOCAIFADDR): Invalid argument")
        new("em1 inet 10.0.0.1/24")
        assert refused(new("bridge0 addm em1"), "BRDGADD em1: Invalid argument")

    def test_15_allows_it_by_a_sysctl(self, new_lab: Callable[..., Lab], program_in: Program) -> None:
        lab = new_lab("15.0")
        program_in(lab, "ifconfig", "bridge0", "create", "addm", "em0")
        assert program_in(lab, "sysctl", "net.link.bridge.member_ifaddrs=1").returncode == 0
        assert silent(program_in(lab, "ifconfig", "em0", "inet", "10.0.0.1/24"))


class TestMtuOfBridges:
    def test_the_first_member_sets_it_and_later_ones_follow(self, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create mtu 9000")
        ifconfig("tap1 create")
        ifconfig("bridge0 create addm tap0 addm tap1")
        assert "mtu 9000" in ifconfig("bridge0").stdout
        assert "mtu 9000" in ifconfig("tap1").stdout
        ifconfig("bridge0 mtu 1400")
        assert "mtu 1400" in ifconfig("tap0").stdout

    def test_old_releases_refuse_another_one(self, ifconfig_of: Callable[[str], Ifconfig]) -> None:
        old = ifconfig_of("11.0")
        old("tap0 create mtu 9000")
        old("tap1 create")
        old("bridge0 create addm tap0")
        assert refused(old("bridge0 addm tap1"), "BRDGADD tap1: Invalid argument")
        old("bridge0 mtu 1400")
        assert "mtu 9000" in old("bridge0").stdout


def ports(text: str) -> list[str]:
    """What stands behind the protocol of each member of a bridge."""
    return [line.partition(" vlan protocol 802.1q")[2].strip() for line in text.splitlines() if "path cost" in line]


class TestVlansOfBridges:
    def test_a_member_gets_its_vlans_as_it_comes(self, ifconfig_of: Callable[[str], Ifconfig]) -> None:
        new = ifconfig_of("15.0")
        assert silent(new("tap0 create"))
        assert silent(new("tap1 create"))
        assert silent(new("bridge0 create vlanfilter addm em0 tagged all addm tap0 untagged 10 tagged 40,20,30-39 up"))
        assert silent(new("bridge0 addm tap1 tagged none down"))
        text = new("bridge0").stdout
        assert "\troot id 00:00:00:00:00:00 priority 32768 ifcost 0 port 0\n\tbridge flags=1<VLANFILTER>\n" in text
        assert "\t        port 4 priority 128 path cost 2000000 vlan protocol 802.1q untagged 10 tagged" in text
        assert ports(text) == ["tagged 1-4094", "untagged 10 tagged 20,30-40", ""]
        assert "ifmaxaddr" not in text
        assert "<UP" not in text

    def test_vlans_of_a_member_change_and_go_with_it(self, ifconfig_of: Callable[[str], Ifconfig]) -> None:
        new = ifconfig_of("15.0")
        new("tap0 create")
        new("bridge0 create vlanfilter defqinq defuntagged 7 addm tap0")
        assert "\tbridge flags=3<VLANFILTER,DEFQINQ> defuntagged=7\n" in new("bridge0").stdout
        assert ports(new("bridge0").stdout) == ["untagged 7"]
        assert silent(new("bridge0 ifuntagged tap0 0x10 iftagged tap0 20-22 +iftagged tap0 24 -iftagged tap0 21"))
        assert ports(new("bridge0").stdout) == ["untagged 16 tagged 20,22,24"]
        assert silent(new("bridge0 -ifuntagged tap0 iftagged tap0 none -defuntagged -defqinq"))
        assert ports(new("bridge0").stdout) == [""]
        assert silent(new("bridge0 iftagged tap0 20 deletem tap0 addm tap0 -vlanfilter"))
        assert ports(new("bridge0").stdout) == [""]
        assert "\tbridge flags=0<>\n" in new("bridge0").stdout

    def test_vlans_that_cannot_be(self, ifconfig_of: Callable[[str], Ifconfig]) -> None:
        new = ifconfig_of("15.0")
        new("tap0 create")
        new("bridge0 create vlanfilter addm tap0")
        new("bridge1 create")
        for line, words in (
            ("bridge0 ifuntagged tap0 0", "invalid VLAN identifier: 0"),
            ("bridge0 addm em1 untagged 4095", "invalid VLAN identifier: 4095"),
            ("bridge0 addm em1 tagged 30-20", "invalid vlan set: 30-20"),
            ("bridge0 iftagged tap0 20,", "invalid vlan set: 20,"),
            ("bridge0 defuntagged ten", "invalid vlan id: ten"),
            ("bridge0 ifuntagged em1 10", "BRDGSIFPVID 10: No such file or directory"),
            ("bridge0 -ifuntagged em1", "BRDGSIFPVID: No such file or directory"),
            ("bridge0 +iftagged em1 10", "BRDGSIFVLANSET 10: No such file or directory"),
            ("bridge0 ifuntagged tap0", "'ifuntagged' requires 2 arguments"),
            ("bridge0 addm", "usage: addm <interface> [opts ...]"),
            ("bridge0 addm em1 untagged", "usage: untagged <vlan id>"),
            ("bridge0 addm tap0 untagged 10", "BRDGADD tap0: File exists"),
            ("tap0 vlanfilter", "BRDGGFLAGS: Invalid argument"),
        ):
            assert refused(new(line), words), line
        assert "member: em1 " not in new("bridge0").stdout
        # What the kernel refuses it refuses when the member is there.
        assert refused(new("bridge1 addm em1 untagged 10"), "BRDGSIFPVID em1 10: Invalid argument")
        assert refused(new("bridge1 deletem em1 addm em1 tagged 10"), "BRDGSIFVLANSET em1: Invalid argument")
        assert "member: em1 " in new("bridge1").stdout

    def test_older_releases_know_none(self, ifconfig: Ifconfig) -> None:
        ifconfig("bridge0 create")
        for word in ("vlanfilter", "-vlanfilter", "defuntagged", "iftagged", "ifuntagged"):
            assert refused(ifconfig(f"bridge0 {word}"), f"{word}: bad value")
        assert refused(ifconfig("bridge0 addm em0 untagged 10"), "untagged: bad value")
        text = ifconfig("bridge0").stdout
        assert "bridge flags" not in text
        assert "ifmaxaddr 0 port 1 priority 128 path cost 2000000\n" in text
