"""The kernel module vmm, as the library under bhyve and its loaders asks for it."""

from __future__ import annotations

from chyves.lab.bhyve.ends import End, perror
from chyves.lab.kernel import Kernel, Refused
from chyves.lab.place import Lab
from chyves.lab.releases import release


def load_vmm(lab: Lab, status: int = End.ERROR) -> None:
    """The library that makes machines loads the module itself from 12.0 on; raises Stop where it is not there."""
    with Kernel(lab) as kernel:
        if kernel.loaded("vmm"):
            return
        try:
            if release(lab.release).number >= (12, 0):
                kernel.load("vmm")
        except Refused:
            pass
        if not kernel.loaded("vmm"):
            perror("vm_create", 2, status)
