"""What random command lines are made of, right words and wrong ones."""

from __future__ import annotations

from tests.zfs.differential.steps import Pipe, Run, Step, Write

PARTS = ("a", "b", "c")
TAGS = ("s1", "s2", "s3", "s4")
WRONG = (
    "tank/no", "tank/no/such", "nopool/a", "tank/a/", "/none/a", "tank//a", "tank/a b*", "tank/ä", "tank/.",
    "tank/a/..", "tank/a@", "tank/@s1", "tank/a@s1@s2", "tank/a@s1/b", "tank/a%b", "tank/a#m#n", "", "9tank/x",
    "tank/a@%", f"tank/{'n' * 250}", "tank", "log", "tank/v.1", "tank/a:b", "-a", "tank/a@s 1",
)  # fmt: skip
PROPERTIES = (
    "atime=off", "atime=on", "compression=lz4", "compression=off", "compression=zip", "recordsize=16K", "recordsize=3K",
    "quota=100M", "quota=none", "quota=0", "quota=10K", "refquota=50M", "reservation=20M", "reservation=2G",
    "reservation=none", "refreservation=10M", "refreservation=none", "refreservation=auto", "canmount=noauto",
    "canmount=off", "canmount=on", "mountpoint=none", "mountpoint=legacy", "mountpoint=/other", "mountpoint=/other/x",
    "mountpoint=relative", "readonly=on", "readonly=off", "volsize=16M", "volsize=8M", "volsize=9M", "volsize=5000",
    "volsize=0", "volsize=none", "volblocksize=16K", "copies=2", "copies=4", "snapdir=visible", "sync=always",
    "chyves:uuid=11111111-2222-3333-4444-555555555555", "chyves:name=web1", "chyves:notes=two words", "chyves:x=",
    "Chyves:X=y", "nosuch=on", "used=10M", "creation=1", "org.freebsd:role=disk", "type=volume", "checksum=sha256",
    "exec=off", "setuid=off", "logbias=throughput", "primarycache=metadata",
    "quota=12X", "quota=-1", "quota=1.5G", "quota=2x", "dedup=off", "origin=tank/a@s1", "name=x", "utf8only=on",
    "casesensitivity=insensitive", "normalization=formD", "version=5", "sharenfs=off",
    "novalue", "=x", "volmode=none", "volmode=dev", "snapdev=visible", "chyves:uuid=1", "chyves:name=web2",
)  # fmt: skip
NAMED = (
    "atime", "compression", "quota", "mountpoint", "canmount", "readonly", "chyves:uuid", "chyves:name", "chyves:x",
    "recordsize", "used", "nosuch", "volsize", "reservation", "refreservation", "refquota", "copies", "origin", "type",
    "volblocksize", "checksum", "Bad:Name", "snapdir", "org.freebsd:role", "name", "volmode", "compress", "rdonly",
)  # fmt: skip
COLUMNS = (
    "name", "name,type", "name,origin", "name,mountpoint,mounted", "name,chyves:uuid,chyves:name", "name,volsize",
    "name,readonly,canmount", "name,quota,reservation,refreservation", "name,clones", "name,userrefs,defer_destroy",
    "type,name,recordsize", "name,compression,atime", "name,nosuch", "", "name,,type", "name,volblocksize",
    "name,type,origin,mounted,mountpoint,volsize,refreservation,quota,readonly", "name,chyves:notes,org.freebsd:role",
)  # fmt: skip
MEASURED = ("space", "name,used,avail,refer", "name,creation,guid", "name,used,refreservation,written,logicalused")
RECEIVED: tuple[tuple[str, ...], ...] = (
    (), (), (), ("-o", "chyves:name=new"), ("-x", "mountpoint"), ("-x", "chyves:uuid"), ("-o", "mountpoint=none"),
    ("-o", "nosuch=1"), ("-o", "canmount=noauto"), ("-x", "quota"), ("-o", "compression=lz4"), ("-o", "volsize=8M"),
    ("-x", "mountpoint", "-o", "chyves:name=new"),
)  # fmt: skip
POOL = (
    "list -Hp -o name,size,alloc,free,health", "list", "list tank", "list -H -o name", "list nopool", "list -o nosuch",
    "get -Hp -o value guid tank", "get -H -o value health tank", "get nosuch tank", "get size,health nopool",
    "get -H bootfs,autoreplace,delegation,listsnapshots,comment tank", "status -x tank", "status nopool", "status tank",
    "destroy nopool", "set comment=hello tank", "set listsnapshots=on tank", "set nosuch=1 tank",
    "set listsnapshots=maybe tank", "nosuch", "version", "list -Z", "get",
)  # fmt: skip
VERBS = (
    "create", "destroy", "snapshot", "rollback", "clone", "promote", "rename", "set", "get", "inherit", "hold",
    "release", "holds", "send", "receive", "mount", "unmount", "list", "nosuch", "bookmark",
)  # fmt: skip


def _line(text: str) -> Run:
    return Run(tuple(text.split()))


# What a sequence begins with, so that not all that comes is refused.
BEGINNINGS: tuple[tuple[Step, ...], ...] = (
    (_line("zfs create tank/a"), Write("tank/a", "f", 1, 100000), _line("zfs snapshot tank/a@s1")),
    (_line("zfs create -p tank/a/b"), _line("zfs create -s -V 8M tank/v"), _line("zfs snapshot -r tank@s1"),
     Write("tank/a/b", "f", 1, 60000), _line("zfs snapshot -r tank@s2")),
    (_line("zfs create tank/a"), Write("tank/a", "f", 1, 100000), _line("zfs snapshot tank/a@s1"),
     _line("zfs clone tank/a@s1 tank/b"), Write("tank/b", "g", 2, 60000), _line("zfs snapshot tank/b@s2")),
    (_line("zfs create -V 8M tank/a"), _line("zfs set chyves:uuid=1 tank"), _line("zfs snapshot tank/a@s1"),
     _line("zfs clone tank/a@s1 tank/b"), _line("zfs create -o chyves:name=web1 -p tank/c/a")),
    (_line("zfs create tank/a"), _line("zfs snapshot tank/a@s1"), Write("tank/a", "g", 3, 60000),
     _line("zfs snapshot tank/a@s2"), Pipe(("zfs", "send", "-R", "tank/a@s2"), ("zfs", "receive", "tank/c")),
     Write("tank/a", "f", 4, 60000), _line("zfs snapshot tank/a@s3")),
)  # fmt: skip
