"""Each form of a command line that chyves uses (grep for "zfs" and "zpool" in chyves), done, and refused."""

from __future__ import annotations

from tests.zfs.differential.steps import Pipe, Run, Step, Write

_LIST = "zfs list -Hp -o name,type,origin,volsize,mountpoint,mounted,chyves:uuid -t"
_LINES = f"""
zfs version
zpool list
zpool list -Hp -o name,size,alloc,free,health
zpool get -Hp -o value guid tank
zpool get -Hp -o value guid nopool
zfs create -p -o chyves:uuid=1 tank/a/b
zfs create -p -o chyves:uuid=1 tank/a/b
zfs create tank/a/b
zfs create tank/x/y
zfs create -p -V 8388608 -o volmode=dev -o chyves:disk=disk0 tank/a/b/v
zfs create -V 8388608 tank/a/b/v
zfs set chyves:uuid=2 chyves:name=web1 tank/a/b
zfs set chyves:uuid=2 tank/no
zfs set volsize=16777216 tank/a/b/v
zfs set volsize=1 tank/a/b/v
write tank/a/b f 1 60000
write tank/a/b/v - 2 60000
zfs snapshot -r tank/a@one
zfs snapshot -r tank/a@one
zfs snapshot -r tank/no@one
zfs clone tank/no@one tank/c
zfs clone -o chyves:uuid=3 -o readonly=on tank/a/b@one tank/c
zfs clone tank/a/b@one tank/c
zfs clone -o chyves:disk=disk1 tank/a/b/v@one tank/w
zfs inherit readonly tank/c
zfs inherit -r chyves:uuid tank/c
zfs inherit chyves:uuid tank/no
{_LIST} filesystem,volume
{_LIST} filesystem,volume,snapshot -r tank/a
{_LIST} snapshot -d 1 tank/a/b
{_LIST} filesystem,volume tank/c tank/no
zfs list -H -o name tank/c
zfs list -H -o name tank/no
zfs get -Hp -o name,value chyves:uuid tank/a/b
zfs get -Hp -o name,value chyves:none tank/a/b
zfs get -Hp -o name,value origin tank/no
zfs get -Hp -s local,received -o name,property,value all tank/a/b tank/c
zfs destroy -rnpv tank/a
zfs destroy -rnpv tank/no
zfs destroy -rnpv tank/c
zfs send tank/a/b@one | zfs receive -o chyves:uuid=4 tank/d
zfs send tank/a/b@one | zfs receive tank/d
zfs send tank/a/b@no | zfs receive tank/e
zfs send tank/a/b@one | zfs receive tank/no/e
zfs send tank/a/b/v@one | zfs receive -o chyves:disk=disk2 tank/e
zfs send -R tank/a@one | zfs receive -x mountpoint -o chyves:uuid=5 tank/r
write tank/a/b f 3 60000
write tank/a/b/v - 4 60000
zfs rollback tank/a/b@one
zfs rollback tank/a/b/v@one
zfs rollback tank/a/b@no
zfs snapshot -r tank/a@two
zfs rollback tank/a/b@one
zfs rename tank/c tank/a/c
zfs rename tank/a/c tank/a/b
zfs rename -p tank/d tank/n/e/w
zfs rename tank/no tank/x
zfs rename tank/a/c tank/no/c
zfs promote tank/a/c
zfs promote tank/a/c
zfs mount tank/a/c
zfs destroy -d -r tank/a@one
zfs destroy -d -r tank/a@no
zfs destroy tank/a/b
zfs destroy tank/no
zfs destroy -rnpv tank/a@two,no
zfs destroy -rnpv tank/a@no
zfs destroy -r tank/a@two,one
zfs destroy -r tank/a@no
zfs destroy tank/w
zfs destroy -r tank/r
zfs destroy -r tank/a
"""


def _step(line: str) -> Step:
    words = tuple(line.split())
    if words[0] == "write":
        return Write(words[1], words[2], int(words[3]), int(words[4]))
    if "|" in words:
        at = words.index("|")
        return Pipe(words[:at], words[at + 1 :])
    told = words[1] in ("list", "get", "destroy")
    return Run(words, shown=told, measured=told and (words[0] == "zpool" or words[1] == "destroy"))


FORMS = [_step(line) for line in _LINES.strip().splitlines()]
