"""Show a lab: what host it plays, and what is going on there."""

from __future__ import annotations

from chyves.lab.create import default_place
from chyves.lab.kernel import Kernel
from chyves.lab.network.interfaces import looked_at
from chyves.lab.place import Lab
from chyves.lab.releases import release
from chyves.lab.vmm import names as machines


def status() -> str:
    """What `chyves lab status` prints of the lab in use; raises ChyvesError where there is none."""
    lab = Lab.open(default_place())
    with Kernel(lab) as kernel:
        modules = [name for _, _, name in kernel.files()]
    rows = {
        "directory": str(lab.top),
        "release": release(lab.release).patched,
        "pool": lab.pool,
        "zfs": lab.zfs,
        "modules": " ".join(modules),
        "interfaces": " ".join(interface.name for interface in looked_at(lab)),
        "virtual machines": " ".join(machines(lab)) or "none",
        "enter it": f"CHYVES_LAB={lab.top} chyves lab shell",
    }
    return "".join(f"{name + ':':18}{value}\n" for name, value in rows.items())
