"""The grammars of values on bhyve's command line (reference, section 1.3): memory, topology, pins, addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import End, Stop, fatal

MIB = 1 << 20
SUFFIXES = {"k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}
LARGEST_TOPOLOGY = 65535
HOST_CPUS = 1024


def c_integer(text: str) -> int | None:
    """A number as strtol(3) with base 0 reads it (`0x4`, `010` is 8); None where it is not one to its end."""
    found = re.fullmatch(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", text)
    if not found:
        return None
    digits = found[2]
    base = 16 if digits[:2].lower() == "0x" else 8 if digits.startswith("0") else 10
    return int(found[1] + digits, base)


def memory_size(text: str) -> int | None:
    """Bytes of a memory size: a plain number below 1 MiB is megabytes; one-letter suffixes in any case; None if bad."""
    plain = c_integer(text)
    if plain is not None:
        if plain < 0:
            return None
        return plain * MIB if plain < MIB else plain
    found = re.fullmatch(r"([0-9]+)([kmgtpe])", text, re.I)
    return int(found[1]) << SUFFIXES[found[2].lower()] if found else None


@dataclass(frozen=True)
class Topology:
    """How many virtual CPUs a guest has, and how they are laid out."""

    cpus: int
    sockets: int
    cores: int
    threads: int


def set_topology(config: Config, text: str) -> None:
    """Write `-c`: a comma list of a bare number (cpus) and `cpus= sockets= cores= threads=`; the last of a key wins."""
    if not text:
        for key in ("sockets", "cores", "threads", "cpus"):
            config.set(key, "1")
        return
    for item in text.split(","):
        key, equals, value = item.partition("=")
        if not equals:
            config.set("cpus", item)
        elif key in ("cpus", "sockets", "cores", "threads"):
            config.set(key, value)
        else:
            fatal(f"invalid cpu topology '{text}'", End.USAGE)


def topology(config: Config) -> Topology:
    """The topology that the configuration asks for; raises Stop (4) where it is none."""
    given = {key: _count(config, key) for key in ("cpus", "cores", "threads", "sockets")}
    cores, threads = given["cores"] or 1, given["threads"] or 1
    sockets = given["sockets"] or given["cpus"] or 1
    total = sockets * cores * threads
    if total > LARGEST_TOPOLOGY:
        fatal(f"Computed number of vCPUs too high: {total}")
    cpus = given["cpus"] or total
    if cpus != total:
        fatal(f"Topology ({sockets} sockets, {cores} cores, {threads} threads) does not match {cpus} vCPUs")
    return Topology(cpus, sockets, cores, threads)


def _count(config: Config, key: str) -> int | None:
    text = config.get(key)
    if text is None:
        return None
    number = c_integer(text)
    if number is None or not 1 <= number <= LARGEST_TOPOLOGY:
        fatal(f"Invalid value for {key}: '{text}'")
    return number


def add_pin(config: Config, text: str) -> None:
    """Write `-p VCPU:HOSTCPU`; several for one vCPU add up."""
    found = re.match(r"\s*([+-]?\d+):\s*([+-]?\d+)", text)
    complaint = f"bhyve: invalid vcpu pinning configuration '{text}'"
    if not found:
        raise Stop(End.USAGE, f"invalid format: {text}\n{complaint}")
    vcpu, cpu = int(found[1]), int(found[2])
    if vcpu < 0:
        raise Stop(End.USAGE, f"invalid vcpu '{vcpu}'\n{complaint}")
    if not 0 <= cpu < HOST_CPUS:
        raise Stop(End.USAGE, f"hostcpu '{cpu}' outside valid range from 0 to {HOST_CPUS - 1}\n{complaint}")
    before = config.get(f"vcpu.{vcpu}.cpuset")
    config.set(f"vcpu.{vcpu}.cpuset", f"{before},{cpu}" if before else str(cpu))


def add_domain(config: Config, text: str) -> None:
    """Write `-n id=N,size=S,cpus=LIST[,domain_policy=P]` (15.0)."""
    pairs = dict(item.partition("=")[::2] for item in text.split(","))
    number = c_integer(pairs.pop("id", ""))
    if number is None or not 0 <= number < 8 or not set(pairs) <= {"size", "cpus", "domain_policy"}:
        fatal(f"invalid NUMA configuration '{text}'", End.USAGE)
    for key, value in pairs.items():
        config.set(f"domains.{number}.{key}", value)


def set_debugger(config: Config, text: str) -> None:
    """Write `-G [w][ADDR:]PORT`."""
    if text.startswith("w"):
        config.set("gdb.wait", "true")
        text = text[1:]
    address, colon, port = text.rpartition(":")
    if colon:
        config.set("gdb.address", address)
    config.set("gdb.port", port)
