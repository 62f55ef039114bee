"""`-l DEVICE[,CONF]`: serial ports, boot ROM, TPM (section 1.8)."""

from __future__ import annotations

from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import End, fatal
from chyves.lab.releases import release


def lpc_devices(name: str) -> list[str]:
    """What `bhyve -l help` lists in a release."""
    number = release(name).number
    ports = ["com1", "com2"] if number < (13, 0) else ["com1", "com2", "com3", "com4"]
    return ["bootrom", *ports, *(["tpm"] if number >= (14, 0) else []), "pc-testdev"]


def rom_variables(name: str) -> tuple[str, str]:
    """The names of the variables that hold the boot ROM and its VARS file: at the top from 15.0 on."""
    return ("bootrom", "bootvars") if release(name).number >= (15, 0) else ("lpc.bootrom", "lpc.bootvars")


def add_lpc_device(config: Config, text: str, name: str) -> None:
    """Write one `-l` of a release; raises Stop (64) for an unknown device."""
    device, comma, conf = text.partition(",")
    device = device.lower()
    if device not in lpc_devices(name) or (not comma and device != "pc-testdev"):
        if device == "bootrom":
            fatal(f'invalid bootrom option "{text}"')
        fatal(f"invalid lpc device configuration '{text}'", End.USAGE)
    if device == "bootrom":
        _bootrom(config, conf, rom_variables(name))
    elif device == "pc-testdev":
        config.set("lpc.pc-testdev", "true")
    elif device == "tpm":
        _tpm(config, conf)
    else:
        config.set(f"lpc.{device}.path", conf)


def _bootrom(config: Config, conf: str, variables: tuple[str, str]) -> None:
    """`ROM[,VARS][,name=value...]`: the second word is VARS only where it has no `=`."""
    rom, *more = conf.split(",")
    config.set(variables[0], rom)
    if more and "=" not in more[0]:
        config.set(variables[1], more.pop(0))
    for item in more:
        key, _, value = item.partition("=")
        config.set(f"lpc.{key}", value or "true")


def _tpm(config: Config, conf: str) -> None:
    kind, _, more = conf.partition(",")
    path, *options = more.split(",")
    config.set("tpm.type", kind)
    config.set("tpm.path", path)
    for item in options:
        key, _, value = item.partition("=")
        config.set(f"tpm.{key}", value or "true")
