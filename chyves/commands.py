"""Every command chyves has, once: the source of the parser, completion, help and the manual.

A row's words are what is typed after `chyves`: text stands for itself, an Arg for what the user chooses. `run` names
the function, `module:function`, which is imported when the command runs and is called with the host (unless `host` is
False) and one keyword argument an Arg, and `yes` where the command asks. What it returns is shown: a Table, text, or
nothing; a number is the status of another program that it ran, and ends chyves.
"""

from __future__ import annotations

from chyves import names, targets
from chyves.cli.shells import SHELLS
from chyves.command import Arg, Command, Many, Option, shows
from chyves.presets import PRESETS

GUEST = Arg("guest", "The guest.", check=names.guest, complete="guests")
CHOICE = "Guests by name, :group or property=value, with commas between them"
GUESTS = Arg("guest", f"{CHOICE}.", check=targets.part, split=True, complete="guests")
ALL = Arg("guest", f"{CHOICE}, or all of them.", check=targets.part, split=True, instead=("all",), complete="guests")
ONE_GUEST = Arg("guest", "The guest; all of them unless told.", Many.OPTIONAL, check=names.guest, complete="guests")
ORIGINAL = Arg("guest", "The guest, or guest@snapshot for it as it was then.", check=names.guest_or_snapshot,
               complete="guests")  # fmt: skip
NEW = Arg("guest", "Names of new guests, with commas between them.", check=names.new_guest, split=True)
OWNER = Arg("owner", f"{CHOICE}, or the host (global), or what new guests begin with (defaults).", check=targets.part,
            split=True, instead=("all", "global", "defaults"), complete="owners")  # fmt: skip
POOL = Arg("pool", "A ZFS pool.", check=names.pool, complete="pools")
IN_POOL = Arg("pool", "The pool; the primary one unless told.", Many.OPTIONAL, check=names.pool, complete="pools")
KIND = Arg("kind", "ISO images, or firmware.", choices=("iso", "firmware"))
SIZE = Arg("size", "Such as 20G; a number alone counts gigabytes; the size of defaults unless told.", Many.OPTIONAL)
NEW_SIZE = Arg("size", "Such as 20G; a number alone counts gigabytes.")
BRIDGE = Arg("bridge", "A bridge, such as bridge0.", check=names.bridge, complete="bridges")
IN_BRIDGE = Arg(
    "bridge", "The bridge; the default one unless told.", Many.OPTIONAL, check=names.bridge, complete="bridges"
)
TAP = Arg("tap", "A tap, such as tap50.", check=names.tap, complete="joined")
DISK = Arg("disk", "A disk, such as disk1.", check=names.disk, complete="disks")
ANY_DISK = Arg("disk", "A disk, such as disk1, or a raw image, such as img/data.raw.", check=names.any_disk,
               complete="disks")  # fmt: skip
PCI_DEVICE = Arg("device", "Its bus, slot and function, such as 2/0/0.", check=names.pci_device, complete="pci")
TAKEN = Arg("snapshot", "@ and a name; one with the time unless told.", Many.OPTIONAL, check=names.snapshot)
NAMED = Arg(
    "snapshot", "A snapshot, with or without its @.", Many.OPTIONAL, check=names.known_snapshot, complete="snapshots"
)
SNAPSHOTS = Arg(
    "snapshots",
    "A snapshot, or a range @oldest%latest; the latest unless told.",
    Many.OPTIONAL,
    check=names.snapshots,
    complete="snapshots",
)
PRESET_DOC = (
    f"{'; '.join(f'{name}: {row.doc}' for name, row in PRESETS.items())}. "
    "On arm64 hosts: U-Boot, a serial console and virtio devices, and no windows11."
)
FORCE = Arg("how", "Without asking the guest: pull the plug.", Many.OPTIONAL, choices=("force",))
FLAGS = tuple(
    Option(f"-{letter}", doc)
    for letter, doc in (
        ("z", "Sizes."),
        ("b", "Processors and memory."),
        ("p", "The pool."),
        ("r", "The role of the pool's dataset."),
        ("v", "System, loader, version, interfaces, serial console."),
        ("s", "State: VMM, running, rcboot."),
        ("t", "Whether it is a template."),
        ("c", "What it is a clone of."),
        ("u", "UEFI: console, firmware, frame buffer."),
        ("d", "The description."),
        ("n", "The notes."),
        ("a", "All columns."),
        ("k", "Without disks."),
        ("w", "Cut to the terminal's width."),
        ("l", "Through a pager."),
    )
)
CLONE_FLAGS = (
    Option("-ce", "A ZFS clone, which needs its parent, with exactly its properties.", group="flag"),
    Option("-cu", "A ZFS clone, with a uuid, serial line, VNC port, taps and MACs of its own.", group="flag"),
    Option("-ie", "A copy, which stands alone, with exactly the same properties.", group="flag"),
    Option("-iu", "A copy, with a uuid, serial line, VNC port, taps and MACs of its own.", group="flag"),
)
FREEZE = Option("--freeze", "Have the agents of guests that run freeze their file systems meanwhile.")
HEADLESS = Option("-H", "For scripts: tabs between columns and no heading.")

COMMANDS = (
    Command(
        ("dataset", POOL, "install"),
        "Make the datasets of chyves on a pool.",
        "chyves.pools.install:install",
        events=("pool_installed",),
    ),
    Command(
        ("dataset", POOL, "upgrade"),
        "Bring datasets of an older chyves up; those of the primary pool with its guests.",
        "chyves.pools.upgrade:upgrade",
        events=("upgraded",),
    ),
    Command(
        ("dataset", POOL, "promote"),
        "Make a pool the primary one, which keeps the properties of the host and of new guests.",
        "chyves.pools.promote:promote",
        events=("pool_promoted",),
    ),
    Command(
        ("dataset", POOL, "offline"),
        "Put a pool's guests and images out of use, without changing them.",
        "chyves.pools.offline:offline",
        events=("pool_offline",),
    ),
    Command(
        ("dataset", POOL, "online"),
        "Bring a pool that is offline back into use.",
        "chyves.pools.offline:online",
        events=("pool_online",),
    ),
    Command(
        ("dataset", POOL, "uninstall"),
        "Destroy the datasets of chyves on a pool that has no guests.",
        "chyves.pools.uninstall:uninstall",
        asks=True,
        events=("pool_uninstalled",),
    ),
    shows(
        KIND, "list", doc="Show the ISO images or the firmware.", run="chyves.resources.show:show", options=(HEADLESS,)
    ),
    Command(
        (
            KIND,
            "import",
            Arg("source", "A file, or an http, https or ftp address.", complete="files"),
            Arg("checksum", "As sha256=...; md5, sha1 and sha512 too.", Many.OPTIONAL),
        ),
        "Copy or download an ISO image or a firmware, unpacking .gz and .xz.",
        "chyves.resources.fetch:fetch",
        asks=True,
        events=("image_imported",),
    ),
    Command(
        (KIND, "delete", Arg("name", "The image.", check=names.resource, complete="resources")),
        "Delete an ISO image or a firmware.",
        "chyves.resources.delete:delete",
        asks=True,
        events=("image_deleted",),
    ),
    Command(
        (
            KIND,
            "rename",
            Arg("name", "The image.", check=names.resource, complete="resources"),
            Arg("new", "Its new name.", check=names.resource),
        ),
        "Rename an ISO image or a firmware; guests that boot with the firmware follow.",
        "chyves.resources.rename:rename",
        events=("image_renamed",),
    ),
    Command(
        (NEW, "create", SIZE, IN_POOL),
        "Create guests.",
        "chyves.guests.create:create",
        options=(Option("--preset", "What such a guest needs is set; see the command preset.", "preset"),),
        events=("created",),
    ),
    Command(
        (
            ALL,
            "delete",
            Arg(
                "how",
                "force: stop it first, and delete what was cloned from it; keepnet: leave the bridges' lists alone.",
                Many.OPTIONAL,
                choices=("force", "keepnet"),
            ),
        ),
        "Delete guests, with their disks and snapshots.",
        "chyves.guests.delete:delete",
        asks=True,
        events=("deleted", "stopped"),
    ),
    Command(
        (ALL, "move", Arg("pool", "The pool to go to.", check=names.pool, complete="pools")),
        "Move guests that are off to another pool, with their disks, snapshots, properties and logs.",
        "chyves.guests.move:move",
        events=("moved",),
    ),
    Command(
        (
            ORIGINAL,
            "clone",
            Arg("name", "Names of the clones, with commas between them.", check=names.new_guest, split=True),
            Arg(
                "pool",
                "The pool of a copy; that of the guest unless told.",
                Many.OPTIONAL,
                check=names.pool,
                complete="pools",
            ),
        ),
        "Clone a guest; a running one as after a power cut. How is told by a flag, else by default_clone_flag.",
        "chyves.guests.clone:clone",
        options=CLONE_FLAGS,
        events=("cloned",),
    ),
    Command(
        (GUEST, "export", Arg("file", "A new file, or - for standard output.", complete="files")),
        "Write a guest to a file, with its disks, snapshots, properties and logs; a running one as after a power cut.",
        "chyves.guests.export:export",
        events=("exported",),
        options=(FREEZE,),
    ),
    Command(
        (
            "import",
            Arg("file", "A file of export, or - for standard input.", complete="files"),
            Arg("name", "What the guest is called; as it was unless told.", Many.OPTIONAL, check=names.new_guest),
            IN_POOL,
        ),
        "Make a guest of a file of export; what other guests have already, such as taps, is made new for it.",
        "chyves.guests.import_guest:import_guest",
        events=("imported",),
    ),
    Command(
        (
            "adopt",
            Arg("manager", "The manager whose guests they are.", choices=("vm-bhyve", "iohyve", "cbsd", "libvirt")),
            Arg(
                "where",
                "vm_dir of vm-bhyve, the pool of iohyve, the workdir of CBSD, a file or the directory of libvirt's.",
                complete="files",
            ),
            Arg("guest", "Which; all that are there unless told.", Many.OPTIONAL, check=names.guest, split=True),
        ),
        "Turn guests of another manager into guests of chyves, with clones of their disks.",
        "chyves.adopt.adopt:adopt",
        events=("adopted",),
        options=(
            Option("--rename", "Take the volumes themselves, which the other manager does not have then."),
            Option("--name", "What the guest is called here; for one guest.", "name"),
        ),
    ),
    Command(
        (GUESTS, "promote"),
        "Free clones from what they were cloned from, which becomes the clone of each.",
        "chyves.guests.promote:promote",
        events=("promoted",),
    ),
    Command(
        (GUEST, "rename", Arg("new", "The new name.", check=names.new_guest)),
        "Give a guest that does not run another name.",
        "chyves.guests.rename:rename",
        events=("renamed",),
    ),
    shows(
        OWNER,
        "get",
        Arg("property", "A property, or all.", complete="properties"),
        doc="Show a property, or all.",
        run="chyves.guests.get:get",
        options=(HEADLESS,),
    ),
    Command(
        (
            OWNER,
            "set",
            Arg(
                "assignments",
                "property=value; further guests may follow in between.",
                Many.SOME,
                complete="assignments",
            ),
        ),
        "Set properties.",
        "chyves.guests.set:set_properties",
        events=("set",),
    ),
    Command(
        (OWNER, "unset", Arg("property", "The property.", complete="properties")),
        "Take a property out, so that its default counts.",
        "chyves.guests.set:unset",
        events=("set",),
    ),
    Command(
        (GUESTS, "preset", Arg("preset", PRESET_DOC, choices=tuple(PRESETS))),
        "Set what guests of a system need, as ordinary properties; --dry-run shows which.",
        "chyves.guests.preset:preset",
        events=("set",),
    ),
    Command(
        (
            ALL,
            "start",
            Arg("iso", "An ISO image to put in first.", Many.OPTIONAL, check=names.resource, complete="isos"),
        ),
        "Boot guests.",
        "chyves.guests.start:start",
        options=(
            Option(
                "--wait",
                "Return when they are ready: serial:REGEX, their console has shown that; tcp:PORT or tcp:HOST:PORT, it "
                "takes a connection; agent, their agent answers. Alone: when bhyve runs.",
                "for",
                bare="running",
            ),
            Option("--wait-for", "How long that may take once all are started; 300 unless told.", "seconds"),
        ),
        events=("started",),
    ),
    Command((ALL, "stop", FORCE), "Shut guests down.", "chyves.guests.stop:stop", events=("stopped",)),
    Command(
        (ALL, "reload"),
        "Have running guests read their properties again at their next boot, also one from inside.",
        "chyves.guests.reload:reload",
        events=("reloaded",),
    ),
    Command(
        (ALL, "boot"),
        "Start guests as the host does when it boots: by falling rcboot and then by name, each when the guests of its "
        "rcboot_after are up; all are those whose rcboot is above 0.",
        "chyves.guests.boot:boot",
        events=("started",),
    ),
    Command(
        (
            ALL,
            "shutdown",
            Arg(
                "seconds",
                "How long guests have to power off, before their plugs are pulled; two thirds of what rc.shutdown(8) "
                "and init(8) give, unless told.",
                Many.OPTIONAL,
            ),
        ),
        "Stop guests as the host does when it shuts down: side by side, each after those that name it in their "
        "rcboot_after.",
        "chyves.guests.shutdown:shutdown",
        events=("stopped",),
    ),
    shows(
        ALL,
        "status",
        doc="Show which guests run; the status is 1 where one that is named does not, or none does.",
        run="chyves.guests.status:status",
        options=(HEADLESS,),
    ),
    Command(
        (
            "wait",
            ALL,
            Arg(
                "state",
                "What is waited for: that bhyve runs them, or that it does not.",
                choices=("running", "stopped"),
            ),
            Arg(
                "seconds",
                "How long at most, and then the status is 1; for ever unless told.",
                Many.OPTIONAL,
                check=names.seconds,
            ),
        ),
        "Wait until guests run, or none of them does.",
        "chyves.guests.wait:wait",
        root=False,
        changes=False,
    ),
    shows(
        "top",
        ONE_GUEST,
        doc="Show what running guests use now: processors, memory, disks and network; live on a terminal, until q.",
        run="chyves.guests.top:top",
        options=(
            Option("-b", "Not live, but once or --count times; so also where there is no terminal."),
            Option("--every", "Seconds between two looks; 2 unless told.", "seconds"),
            Option("--count", "How many tables; with -b 1 unless told.", "count"),
            HEADLESS,
        ),
    ),
    Command(
        ("metrics",),
        "Print the state of guests, and what they use, as OpenMetrics text for Prometheus' node_exporter.",
        "chyves.guests.metrics:metrics",
        root=False,
        changes=False,
        options=(Option("--file", "Write it to this file, which is replaced whole.", "file"),),
    ),
    shows(
        "check",
        ALL,
        doc="Look whether guests could start now, without starting them; the status is 1 where one could not.",
        run="chyves.guests.check:check",
        options=(HEADLESS,),
    ),
    shows(
        "explain",
        GUEST,
        Arg("iso", "An ISO image that would be put in.", Many.OPTIONAL, check=names.resource, complete="isos"),
        doc="Show the loader's line and bhyve's with which a guest would start.",
        run="chyves.guests.explain:explain",
        options=(
            Option("--config", "As a configuration file of bhyve, which starts the guest without chyves."),
            HEADLESS,
        ),
    ),
    shows(
        "diff",
        ALL,
        doc="Show what is set otherwise than running guests run with, and counts when they start again.",
        run="chyves.guests.diff:diff",
        options=(HEADLESS,),
    ),
    shows(
        GUEST,
        "slots",
        doc="Show which device sits where on a guest's PCI bus.",
        run="chyves.guests.slots:slots",
        options=(HEADLESS,),
    ),
    Command(
        (ALL, "reclaim"),
        "Destroy the VMM of guests that do not run, and free what it held.",
        "chyves.guests.reclaim:reclaim",
        events=("reclaimed", "stopped"),
    ),
    Command(
        (ALL, "upgrade"),
        "Bring guests of an older chyves up; what was changed in them stays.",
        "chyves.guests.upgrade:upgrade",
        events=("upgraded",),
    ),
    Command(
        (ALL, "console", "reset"),
        "End the sessions on serial consoles, and remove the locks of dead ones.",
        "chyves.guests.console:reset",
        events=(),
    ),
    Command(
        (ALL, "console", "tmux"),
        "Show serial consoles in tmux: session chyves, a window a guest, in it a shell and the console.",
        "chyves.guests.tmux:tmux",
        terminal=True,
        changes=False,
    ),
    shows(
        ALL,
        "console",
        "vnc",
        doc="Show the screen of guests, or where it is, as uefi_vnc_client says.",
        run="chyves.guests.vnc:vnc",
        options=(HEADLESS,),
    ),
    shows(
        Arg("owner", "The guest, or global for the host.", check=names.guest, instead=("global",), complete="guests"),
        "log",
        Arg("lines", "How many of the last lines; 20 unless told.", Many.OPTIONAL, check=names.lines),
        doc="Show the log of a guest or of the host, with earlier months where this one has too few lines.",
        run="chyves.guests.log:log",
        options=(
            Option("-f", "Go on with what is added, until Ctrl-C."),
            HEADLESS,
            Option("--console", "What the guest's serial console has shown, which console_log keeps."),
        ),
    ),
    Command(
        (GUEST, "console"),
        "Join the serial console; leave it with ~. after Return.",
        "chyves.guests.console:console",
        terminal=True,
        changes=False,
    ),
    Command(
        (GUEST, "prompt"),
        "Read commands for one guest from a prompt, or from a script on standard input.",
        "chyves.guests.prompt:prompt",
        terminal=True,
        root=False,
        changes=False,
    ),
    shows(
        ALL,
        "agent",
        "ping",
        doc="Show whether the guest agents answer; the status is 1 where one does not.",
        run="chyves.guests.agent_verbs:ping",
        root=True,
        options=(HEADLESS,),
    ),
    shows(
        ALL,
        "agent",
        "info",
        doc="Show what the guest agents tell of themselves and of their systems.",
        run="chyves.guests.agent_verbs:info",
        root=True,
        options=(HEADLESS,),
    ),
    shows(
        ALL,
        "agent",
        "addresses",
        doc="Show the network addresses that guests say they have.",
        run="chyves.guests.agent_verbs:addresses",
        root=True,
        options=(HEADLESS,),
    ),
    Command(
        (ALL, "agent", "time"),
        "Set the clocks of guests by the host's.",
        "chyves.guests.agent_verbs:set_time",
        events=(),
    ),
    Command(
        (
            ALL,
            "agent",
            "freeze",
            Arg(
                "seconds", "After how many seconds they are thawed; 60 unless told.", Many.OPTIONAL, check=names.seconds
            ),
        ),
        "Freeze the file systems of guests, until they are thawed.",
        "chyves.guests.freeze:by_hand",
        events=(),
    ),
    Command(
        (ALL, "agent", "thaw"),
        "Thaw the file systems of guests.",
        "chyves.guests.freeze:thaw_by_hand",
        events=(),
    ),
    Command(
        (ALL, "agent", "shutdown"),
        "Have the guest agents shut guests down that do not heed their power buttons.",
        "chyves.guests.agent_shutdown:shutdown",
        events=("stopped",),
    ),
    Command(
        (ALL, "snapshot", TAKEN),
        "Take a snapshot of guests.",
        "chyves.guests.snapshots:take",
        events=("snapshot_taken",),
        options=(FREEZE,),
    ),
    Command(
        (ALL, "snapshot", "take", NAMED),
        "The same as snapshot.",
        "chyves.guests.snapshots:take",
        events=("snapshot_taken",),
        options=(FREEZE,),
    ),
    shows(
        GUEST,
        "snapshot",
        "list",
        doc="Show a guest's snapshots.",
        run="chyves.guests.snapshots:show",
        options=(HEADLESS,),
    ),
    Command(
        (GUEST, "snapshot", "delete", SNAPSHOTS),
        "Delete snapshots.",
        "chyves.guests.snapshots:delete",
        asks=True,
        events=("snapshot_deleted",),
    ),
    Command(
        (GUEST, "snapshot", "rollback", NAMED),
        "Bring a guest back to a snapshot, or to the latest; what is newer is lost.",
        "chyves.guests.snapshots:go_back",
        asks=True,
        events=("rolled_back",),
    ),
    shows(GUEST, "disk", "list", doc="Show a guest's disks.", run="chyves.guests.disks:show", options=(HEADLESS,)),
    Command(
        (GUEST, "disk", "add", SIZE), "Give a guest a further disk.", "chyves.guests.disks:add", events=("disk_added",)
    ),
    Command(
        (
            GUEST,
            "disk",
            DISK,
            Arg("what", "What is kept: a description, or notes.", choices=("description", "notes")),
            Arg("text", "The line; - for none.", Many.SOME),
        ),
        "Keep a line of text with a disk.",
        "chyves.guests.disks:describe",
        events=("set",),
    ),
    Command(
        (GUEST, "disk", "delete", ANY_DISK),
        "Delete a disk.",
        "chyves.guests.disks:delete",
        asks=True,
        events=("disk_deleted",),
    ),
    Command(
        (GUEST, "disk", "remove", ANY_DISK),
        "The same as disk delete.",
        "chyves.guests.disks:delete",
        asks=True,
        events=("disk_deleted",),
    ),
    Command(
        (GUEST, "vars", "reset"),
        "Begin with empty UEFI variables (uefi_vars), which loses what the guest told its firmware.",
        "chyves.guests.reset:reset",
        asks=True,
        events=("vars_reset",),
    ),
    Command(
        (GUEST, "disk", "resize", ANY_DISK, NEW_SIZE),
        "Change the size of a disk.",
        "chyves.guests.disks:resize",
        asks=True,
        events=("disk_resized",),
    ),
    Command(
        (
            GUEST,
            "pci",
            "add",
            PCI_DEVICE,
            Arg("rom", "A ROM for it: a firmware, or a path.", Many.OPTIONAL, complete="firmware"),
        ),
        "Give a guest a card of the host, with all its functions, which ppt(4) gets at once.",
        "chyves.guests.passthrough:add",
        asks=True,
        events=("device_added",),
    ),
    Command(
        (GUEST, "pci", "remove", PCI_DEVICE),
        "Take a card of the host from a guest, and give it back to the host.",
        "chyves.guests.passthrough:remove",
        events=("device_removed",),
    ),
    Command(
        (
            "network",
            GUESTS,
            "add",
            Arg("interface", "tap, slirp or netgraph, {n} after it or not, or vale{s}[:{p}].", complete="taps"),
            IN_BRIDGE,
        ),
        "Give guests a network interface: each the next tap, or one by its name.",
        "chyves.guests.interfaces:add",
        events=("interface_added",),
    ),
    Command(
        (
            "network",
            GUESTS,
            "remove",
            Arg(
                "interface",
                "tap{n}, slirp{n}, netgraph{n} or vale{s}[:{p}].",
                check=names.guest_interface,
                complete="taps",
            ),
        ),
        "Take a network interface from guests.",
        "chyves.guests.interfaces:remove",
        events=("interface_removed",),
    ),
    Command(
        (
            "network",
            BRIDGE,
            "attach",
            Arg("uplink", "A network card or a vlan.", check=names.uplink, complete="uplinks"),
        ),
        "Attach a bridge to an interface of the host.",
        "chyves.network.bridges:attach",
        events=("network_changed",),
    ),
    Command(
        ("network", BRIDGE, "private"),
        "Leave a bridge without an interface of the host.",
        "chyves.network.bridges:private",
        events=("network_changed",),
    ),
    Command(
        ("network", "import"),
        "Take the bridges of the host, with their uplinks and taps, into the properties; no interface is touched.",
        "chyves.network.adopt:import_layout",
        asks=True,
        events=("set",),
    ),
    Command(
        ("network", BRIDGE, "join", TAP),
        "Put a tap on a bridge, off the one that it was on.",
        "chyves.network.bridges:join",
        events=("network_changed",),
    ),
    Command(
        ("network", BRIDGE, "unjoin", TAP),
        "Take a tap off a bridge.",
        "chyves.network.bridges:unjoin",
        events=("network_changed",),
    ),
    Command(
        (
            "network",
            BRIDGE,
            "migrate",
            Arg("target", "The bridge that gets it all.", check=names.bridge, complete="bridges"),
        ),
        "Move a bridge's taps and uplink to another one, and the mark that new guests join it.",
        "chyves.network.bridges:migrate",
        asks=True,
        events=("network_changed",),
    ),
    Command(
        ("network", BRIDGE, "default"),
        "Make it the bridge that new guests join.",
        "chyves.network.bridges:default",
        events=("network_changed",),
    ),
    shows("list", doc="Show the guests.", run="chyves.guests.report:listing", options=(HEADLESS,)),
    shows(
        "list",
        "bridges",
        doc="Show the bridges: uplinks, the one that new guests join, taps and their guests.",
        run="chyves.network.show:bridges",
        options=(HEADLESS,),
    ),
    shows(
        "list",
        "clones",
        doc="Show what was cloned from what, as a tree.",
        run="chyves.guests.lineage:tree",
        options=(HEADLESS,),
    ),
    shows(
        "list",
        "defaults",
        doc="Show what new guests begin with.",
        run="chyves.guests.get:defaults",
        options=(HEADLESS,),
    ),
    shows("list", "disks", doc="Show every guest's disks.", run="chyves.guests.disks:show_all", options=(HEADLESS,)),
    shows("list", "firmware", doc="Show the firmware.", run="chyves.resources.show:firmware", options=(HEADLESS,)),
    shows(
        "list",
        "global",
        IN_POOL,
        doc="Show the properties of the host, and those of a pool.",
        run="chyves.guests.get:global_",
        options=(HEADLESS,),
    ),
    shows(
        "list",
        "groups",
        doc="Show the groups of guests, and who is in each.",
        run="chyves.guests.groups:show",
        options=(HEADLESS,),
    ),
    shows("list", "iso", doc="Show the ISO images.", run="chyves.resources.show:isos", options=(HEADLESS,)),
    shows(
        "list",
        "pci",
        doc="Show the devices of the host: their drivers, whether guests can have them, and which do.",
        run="chyves.guests.host_devices:show",
        options=(HEADLESS,),
    ),
    shows(
        "list",
        "pools",
        doc="Show the pools that have chyves datasets.",
        run="chyves.pools.show:pools",
        options=(HEADLESS,),
    ),
    shows(
        "list",
        "processes",
        ONE_GUEST,
        doc="Show the processes that run guests, and what they have used.",
        run="chyves.guests.processes:show",
        options=(HEADLESS,),
    ),
    shows(
        "list",
        "properties",
        doc="Show all properties, with their defaults and what they are.",
        run="chyves.guests.get:properties",
        options=(HEADLESS,),
    ),
    shows(
        "list",
        "snapshots",
        Arg("guest", "The guest; every one unless told.", Many.OPTIONAL, check=names.guest, complete="guests"),
        doc="Show the snapshots of every guest, or of one.",
        run="chyves.guests.snapshots:show_all",
        options=(HEADLESS,),
    ),
    shows(
        "list",
        "tap",
        Arg("which", "Only the taps that exist.", Many.OPTIONAL, choices=("active",)),
        doc="Show the taps: whether each exists, its guest, its bridge, and the process that has it open.",
        run="chyves.network.show:taps",
        options=(HEADLESS,),
    ),
    shows(
        "list",
        Arg("property", "A guest property.", complete="properties"),
        doc="Show one property of every guest.",
        run="chyves.guests.get:across",
        options=(HEADLESS,),
    ),
    shows(
        "info",
        doc="Show the guests, with the columns that the flags name.",
        run="chyves.guests.report:info",
        options=(*FLAGS, HEADLESS),
    ),
    shows(
        "events",
        doc="Show what was changed on this host, one JSON object a line.",
        run="chyves.guests.events:events",
        options=(
            Option("-f", "Go on with what is added, until Ctrl-C."),
            Option("--since", "Only what came since then: 10m, 2h, 7d, or a time such as 2026-01-31T12:00.", "time"),
            HEADLESS,
        ),
    ),
    shows(
        "doctor",
        doc="Look for what does not fit, and say what to do about it; the status is 1 where there is any.",
        run="chyves.doctor.show:doctor",
        options=(HEADLESS,),
    ),
    Command(
        ("doctor", "repair"),
        "Repair what doctor finds, as far as that is safe, after showing how.",
        "chyves.doctor.repair:repair",
        asks=True,
        events=("repaired",),
    ),
    Command(
        ("debug", ONE_GUEST),
        "Write what a report of a fault needs into a file, with secrets masked.",
        "chyves.guests.debug:debug",
        root=False,
        changes=False,
        options=(Option("--file", "Where; - is standard output. A new file here unless told.", "file"),),
    ),
    Command(
        ("dev", Arg("function", "A function of chyves 0.2.0, which is refused.", Many.ANY)),
        "Read Python at a prompt, with the host and its guests at hand; needs dev_mode.",
        "chyves.guests.dev:prompt",
        terminal=True,
        changes=False,
    ),
    Command(
        ("dev", "prompt"),
        "The same as dev.",
        "chyves.guests.dev:prompt",
        terminal=True,
        changes=False,
    ),
    Command(
        ("dev", "lock", GUEST, Arg("seconds", "How long.")),
        "Hold a guest's lock, to see what other commands say then; needs dev_mode.",
        "chyves.guests.dev:lock",
        changes=False,
    ),
    shows(
        "upgrade",
        Arg("branch", "master or dev, which are refused: chyves installs nothing of itself.", Many.ANY),
        doc="Tell which command brings chyves itself up to date.",
        run="chyves.resources.upgrade:upgrade",
        options=(HEADLESS,),
    ),
    shows(
        "upgrade",
        "check",
        Arg("source", "A file, or an http or https address, that holds a version.", Many.ANY, complete="files"),
        doc="Compare this chyves with the version that a source has.",
        run="chyves.resources.upgrade:check",
        options=(HEADLESS,),
    ),
    Command(
        ("lab", "create", Arg("directory", "Where; ~/.chyves-lab unless told.", Many.OPTIONAL, complete="files")),
        "Make a FreeBSD host in a directory.",
        "chyves.lab.create:create",
        root=False,
        changes=False,
        host=False,
        options=(
            Option("--release", "The FreeBSD release that it plays: 11.0, 13.2, 14.3, 15.0 or 15.1.", "release"),
            Option("--machine", "The machine that it plays: amd64, or arm64 (from 15.0 on).", "machine"),
            Option("--zfs", "Its ZFS: model (its own), real (the machine's, as root), or real:DISK.", "which"),
        ),
    ),
    Command(
        ("lab", "shell", Arg("command", "What to run; a shell unless told.", Many.REST)),
        "Enter the lab.",
        "chyves.lab.shell:shell",
        terminal=True,
        root=False,
        changes=False,
        host=False,
    ),
    shows("lab", "status", doc="Show the lab.", run="chyves.lab.status:status", options=(HEADLESS,), host=False),
    Command(
        ("lab", "destroy", Arg("directory", "Which; the one in use unless told.", Many.OPTIONAL, complete="files")),
        "Remove a lab and all that is in it.",
        "chyves.lab.destroy:destroy",
        root=False,
        changes=False,
        asks=True,
        host=False,
    ),
    Command(
        ("completion", Arg("shell", "The shell that is to complete.", choices=SHELLS)),
        "Print what has a shell complete the words of chyves, to be read at its start.",
        "chyves.cli.shells:script",
        root=False,
        changes=False,
        host=False,
    ),
    Command(
        ("help", Arg("topic", "A command or a property.", Many.ANY, complete="topics")),
        "Explain the commands, or one, or a property.",
        "chyves.cli.help:help_",
        root=False,
        changes=False,
        host=False,
    ),
    shows(
        "version",
        doc="Show the versions of chyves, its datasets and the host.",
        run="chyves.guests.report:version",
        options=(HEADLESS,),
    ),
)
