"""Show a lab: what host it plays, and what is going on there."""

from __future__ import annotations

from chyves.cli.tables import Column, Row, Table
from chyves.lab.create import default_place
from chyves.lab.kernel import Kernel
from chyves.lab.network.interfaces import looked_at
from chyves.lab.place import Lab
from chyves.lab.releases import release
from chyves.lab.vmm import names as machines

HEADS = {
    "directory": "directory",
    "release": "release",
    "machine": "machine",
    "pool": "pool",
    "zfs": "zfs",
    "modules": "modules",
    "interfaces": "interfaces",
    "machines": "virtual machines",
}


def status() -> Table:
    """What `chyves lab status` tells of the lab in use; raises ChyvesError where there is none."""
    lab = Lab.open(default_place())
    with Kernel(lab) as kernel:
        modules = [name for _, _, name in kernel.files()]
    one = {"directory": str(lab.top), "release": release(lab.release).patched, "machine": lab.machine}
    one |= {"pool": lab.pool, "zfs": lab.zfs}
    several = {
        "modules": modules,
        "interfaces": [interface.name for interface in looked_at(lab)],
        "machines": machines(lab),
    }
    told = {HEADS[key]: value for key, value in one.items()}
    told |= {HEADS[key]: " ".join(values) or "none" for key, values in several.items()}
    told["enter it"] = f"CHYVES_LAB={lab.top} chyves lab shell"
    row = Row({**one, **{key: [*values] for key, values in several.items()}})
    columns = tuple(Column(key, head) for key, head in HEADS.items())
    return Table("labs", columns, (row,), told=tuple(f"{head + ':':18}{text}" for head, text in told.items()))
