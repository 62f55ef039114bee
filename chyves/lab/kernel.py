"""The lab's kernel: the modules it has loaded and what its sysctls say."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.lab import modules
from chyves.lab.place import Lab
from chyves.lab.sysctls import Machine, Sysctl, table

KERNEL = "kernel"

SCHEMA = """
create table boot (id text);
create table module (id integer primary key, file text unique, refs integer);
create table sysctl (name text primary key, value text);
create table driver (place text primary key, name text);
create table interface (name text primary key, number integer, facts text);
insert into module values (1, 'kernel', 60), (2, 'zfs', 1);
"""


class Refused(Exception):
    """What the kernel answers instead of doing as told: the text of an errno."""


class Kernel:
    """The kernel of a lab, kept in `state/kernel.db`.

    It forgets its loaded modules and cloned interfaces when the real machine is started anew, as FreeBSD would.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        try:
            self.database = sqlite3.connect(lab.state / "kernel.db", timeout=60, isolation_level=None)
            self.database.execute("pragma synchronous = off")
            self._boot_once()
        except sqlite3.OperationalError as error:
            raise ChyvesError(f"{lab.top}: the lab's kernel cannot be reached: {error}; is the lab yours?") from None

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def _boot_once(self) -> None:
        """Start anew unless this kernel was started since the real machine was."""
        now = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        if self._booted() == now:
            return
        self.database.execute("begin immediate")
        if self._booted() != now:
            for name in ("boot", "module", "sysctl", "driver", "interface"):
                self.database.execute(f"drop table if exists {name}")
            for statement in SCHEMA.split(";"):
                self.database.execute(statement)
            self.database.execute("insert into boot values (?)", (now,))
            self._sweep()
        self.database.execute("commit")

    def _sweep(self) -> None:
        """Take away what does not outlive a start: devices that came and went, /var/run, locks of terminals."""
        import shutil

        root, state = self.lab.root, self.lab.state
        gone = [
            *root.glob("dev/nmdm*"),
            *root.glob("dev/vmm*"),
            *root.glob("var/run/*"),
            *root.glob("var/spool/lock/*"),
        ]
        for place in (*gone, state / "vmm", state / "nmdm", state / "net"):
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            elif place.name != "dmesg.boot":
                place.unlink(missing_ok=True)

    def _booted(self) -> str | None:
        try:
            row = self.database.execute("select id from boot").fetchone()
        except sqlite3.OperationalError:
            return None
        return str(row[0]) if row else None

    def files(self) -> list[tuple[int, int, str]]:
        """Loaded files in the order of their number: number, references, name without `.ko`."""
        return self.database.execute("select id, refs, file from module order by id").fetchall()

    def has_file(self, name: str) -> bool:
        """Whether a file is loaded, as kldstat -n asks."""
        return any(name in (file, f"{file}.ko") for _, _, file in self.files())

    def loaded(self, module: str) -> bool:
        """Whether a module is there and initialised, compiled in or loaded, as kldstat -m asks."""
        known = modules.loadable(self.lab.release)
        inside = (name for _, _, file in self.files() if file in known for name in known[file].modules)
        return module in modules.compiled_in(self.lab.release) or module in inside

    def load(self, given: str) -> None:
        """Load a module's file and those that it needs; raises Refused with the words of kldload(8)."""
        name = Path(given).name.removesuffix(".ko")
        compiled = modules.compiled_in(self.lab.release)
        if self.has_file(name) or name in compiled or modules.ALIASES.get(name, name) in compiled:
            raise Refused("module already loaded or in kernel")
        file = modules.loadable(self.lab.release).get(name)
        if file is None or not (self.lab.root / f"boot/kernel/{name}.ko").exists():
            raise Refused("No such file or directory")
        if name == "vmm" and self.machine().cpu == "none":
            raise Refused("")
        for needed in file.needs:
            self._reference(needed)
        self._reference(name)

    def _reference(self, file: str) -> None:
        self.database.execute(
            "insert into module (id, file, refs) values ((select max(id) from module) + 1, ?, 1) "
            "on conflict (file) do update set refs = refs + 1",
            (file,),
        )

    def unload(self, given: str) -> None:
        """Unload a file; raises Refused when it is in use, is part of the kernel or is not there."""
        name = Path(given).name.removesuffix(".ko")
        refs = {file: refs for _, refs, file in self.files()}
        if name not in refs:
            raise Refused("No such file or directory")
        if name == KERNEL or refs[name] > 1 or self._in_use(name):
            raise Refused("Device busy")
        self.database.execute("delete from module where file = ?", (name,))
        for needed in modules.loadable(self.lab.release)[name].needs:
            self.database.execute("update module set refs = refs - 1 where file = ?", (needed,))
            self.database.execute("delete from module where file = ? and refs = 0", (needed,))

    def _in_use(self, file: str) -> bool:
        dev = self.lab.root / "dev"
        if file == "vmm":
            return (dev / "vmm").exists()
        if file == "nmdm":
            return any(dev.glob("nmdm*"))
        if file == "zfs":
            return True
        family = {"if_bridge": "bridge", "if_tap": "tap", "if_epair": "epair"}.get(file)
        query = "select count(*) from interface where json_extract(facts, '$.family') = ?"
        return family is not None and bool(self.database.execute(query, (family,)).fetchone()[0])

    def machine(self) -> Machine:
        """The hardware that this lab plays."""
        return Machine.of(self.lab)

    def sysctls(self) -> dict[str, Sysctl]:
        """Every sysctl that the kernel has now, with its value now."""
        rows = table(self.lab, self.machine())
        there = {name: row for name, row in rows.items() if not row.module or self.loaded(row.module)}
        told = {**self.tunables(), **dict(self.database.execute("select name, value from sysctl"))}
        there.update({name: there[name]._replace(value=value) for name, value in told.items() if name in there})
        return there

    def tunables(self) -> dict[str, str]:
        """What /boot/loader.conf sets, as loader.conf(5) writes it: `hw.vmm.maxcpu="16"`."""
        text = (self.lab.root / "boot/loader.conf").read_text()
        return {name: value for name, value in re.findall(r'^\s*([\w.-]+)\s*=\s*"?([^"\n]*)"?', text, re.MULTILINE)}

    def sysctl(self, name: str) -> str | None:
        """The value of a sysctl, or None where the kernel has none of this name."""
        row = self.sysctls().get(name)
        return None if row is None else row.value

    def set_sysctl(self, name: str, value: str) -> None:
        """Keep a new value of a sysctl until the next start of the machine."""
        self.database.execute("insert or replace into sysctl values (?, ?)", (name, value))
