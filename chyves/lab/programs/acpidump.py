"""acpidump(8): shows which ACPI tables the lab's machine has, as far as a search for its IOMMU goes."""

from __future__ import annotations

import getopt
import sys

from chyves.lab.place import Lab
from chyves.lab.sysctls import Machine

TABLES = """\
/*
  RSD PTR: OEM=LAB, ACPI_Rev=2.0x (2)
	XSDT=0x000000007fffd0e8, length=36, cksum=42
 */
/*
  XSDT: Length=92, Revision=1, Checksum=213,
	OEMID=LAB, OEM Table ID=LABXSDT, OEM Revision=0x1,
	Creator ID=LAB, Creator Revision=0x1
 */
/*
  APIC: Length=160, Revision=3, Checksum=110,
	OEMID=LAB, OEM Table ID=LABAPIC, OEM Revision=0x1,
	Creator ID=LAB, Creator Revision=0x1
 */"""
IOMMU = """\
/*
  {name}: Length=136, Revision=1, Checksum=47,
	OEMID=LAB, OEM Table ID=LAB{name}, OEM Revision=0x1,
	Creator ID=LAB, Creator Revision=0x1
 */"""


def main(lab: Lab, argv: list[str]) -> int:
    """Run acpidump(8) -t: the tables' heads, with DMAR on Intel and IVRS on AMD where there is an IOMMU."""
    try:
        options, rest = getopt.getopt(argv, "dhtTvsf:o:")
    except getopt.GetoptError:
        options, rest = [], ["?"]
    if rest or not options:
        print(
            "usage: acpidump [-d] [-t] [-h] [-s] [-v] [-f dsdt_input] [-o dsdt_output] [-T table_name]", file=sys.stderr
        )
        return 1
    machine = Machine.of(lab)
    print(TABLES)
    if machine.iommu and machine.cpu != "none":
        print(IOMMU.format(name="IVRS" if machine.cpu == "amd" else "DMAR"))
    return 0
