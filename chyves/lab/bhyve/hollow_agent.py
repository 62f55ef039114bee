"""What stands in for qemu-ga in a guest without a machine: it knows the commands that a small system needs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

NAME = "org.qemu.guest_agent.0"
VERSION = "8.2.0"
WHEN_FROZEN = (
    "guest-ping", "guest-info", "guest-sync", "guest-sync-delimited", "guest-fsfreeze-status", "guest-fsfreeze-thaw"
)  # fmt: skip
"""What the agent still does while file systems are frozen."""
FILE_SYSTEMS = 2
SENTINEL = b"\xff"


class HollowAgent:
    """The agent of one guest; `power_off` is what a guest does that was told to shut down."""

    def __init__(self, guest: str, power_off: Callable[[], None]) -> None:
        self._power_off = power_off
        self._frozen = False
        self._ahead = 0
        self._commands: dict[str, Callable[[dict[str, Any]], Any]] = {
            "guest-ping": lambda _: {},
            "guest-sync": lambda given: given["id"],
            "guest-sync-delimited": lambda given: given["id"],
            "guest-info": self._info,
            "guest-get-host-name": lambda _: {"host-name": guest},
            "guest-get-osinfo": lambda _: {"id": "hollow", "pretty-name": "Hollow 1.0", "kernel-release": "1.0"},
            "guest-network-get-interfaces": lambda _: self._interfaces(),
            "guest-get-time": lambda _: time.time_ns() + self._ahead,
            "guest-set-time": self._set_time,
            "guest-fsfreeze-status": lambda _: "frozen" if self._frozen else "thawed",
            "guest-fsfreeze-freeze": lambda _: self._freeze(True),
            "guest-fsfreeze-thaw": lambda _: self._freeze(False),
            "guest-shutdown": lambda _: self._power_off(),
        }

    def answer(self, line: bytes) -> bytes:
        """What it says to a line; nothing to a shutdown. A mark ends what came before it, and is no JSON itself."""
        _, mark, rest = line.rpartition(SENTINEL)
        return (_refusal("JSON parse error, stray '\ufffd'") if mark else b"") + self._answer(rest)

    def _answer(self, line: bytes) -> bytes:
        try:
            asked = json.loads(line)
            name, given = asked["execute"], asked.get("arguments", {})
        except (ValueError, KeyError, TypeError):
            return _refusal("Invalid JSON syntax")
        if name not in self._commands:
            return _refusal(f"The command {name} has not been found", "CommandNotFound")
        if self._frozen and name not in WHEN_FROZEN:
            return _refusal(f"Command {name} has been disabled: the command is not allowed")
        told = self._commands[name](given)
        if name == "guest-shutdown":
            return b""
        mark = SENTINEL if name == "guest-sync-delimited" else b""
        return mark + json.dumps({"return": told}).encode() + b"\n"

    def _info(self, _: dict[str, Any]) -> dict[str, Any]:
        names = sorted(self._commands)
        commands = [{"enabled": True, "name": name, "success-response": name != "guest-shutdown"} for name in names]
        return {"version": VERSION, "supported_commands": commands}

    def _interfaces(self) -> list[dict[str, Any]]:
        loopback = [("127.0.0.1", "ipv4", 8), ("::1", "ipv6", 128)]
        return [
            {"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": _addresses(loopback)},
            {
                "name": "eth0",
                "hardware-address": "58:9c:fc:00:00:01",
                "ip-addresses": _addresses([("192.0.2.10", "ipv4", 24), ("2001:db8::10", "ipv6", 64)]),
            },
        ]

    def _set_time(self, given: dict[str, Any]) -> dict[str, Any]:
        self._ahead = given["time"] - time.time_ns() if "time" in given else 0
        return {}

    def _freeze(self, wanted: bool) -> int:
        changed, self._frozen = self._frozen != wanted, wanted
        return FILE_SYSTEMS if changed else 0


def _refusal(text: str, kind: str = "GenericError") -> bytes:
    return json.dumps({"error": {"class": kind, "desc": text}}).encode() + b"\n"


def _addresses(found: list[tuple[str, str, int]]) -> list[dict[str, Any]]:
    return [{"ip-address": address, "ip-address-type": kind, "prefix": prefix} for address, kind, prefix in found]
