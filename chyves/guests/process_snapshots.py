"""Snapshots that only something made from them needs: they go with the last clone, or with what a crash left."""

from __future__ import annotations

import uuid

from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.names import PROCESS


def take_process_snapshots(undo: Undo, host: Host, dataset: str) -> str:
    """Take snapshots of a dataset and of all below it at one moment; their name. They go where that is taken back."""
    tag = f"{PROCESS}{uuid.uuid4()}"
    undo.do(lambda: None, lambda: drop_process_snapshots(host, dataset), f"destroy the snapshots @{tag}")
    undo.do(lambda: host.zfs.snapshot(f"{dataset}@{tag}"))
    return tag


def drop_process_snapshots(host: Host, *below: str) -> None:
    """Destroy those of datasets and of all below them, now or, where something was made of one, with the last clone."""
    columns = ("name", "defer_destroy")
    for row in host.zfs.list(*below, properties=columns, types="snapshot", recursive=True) if below else ():
        if row["name"].partition("@")[2].startswith(PROCESS) and row["defer_destroy"] != "on":
            host.zfs.let_go(row["name"])
