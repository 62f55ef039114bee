"""The table of native dataset properties: names, types, defaults, columns, as of OpenZFS 2.1 to 2.4 on FreeBSD."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

NUMBER, STRING, INDEX = "number", "string", "index"
# Who may set a property: INHERIT and DEFAULT anyone (DEFAULT is not handed down), ONCE and ONCE_DEFAULT only at
# creation, READONLY nobody.
INHERIT, DEFAULT, READONLY, ONCE, ONCE_DEFAULT = "inherit", "default", "readonly", "once", "once-default"

_LEVELS = " ".join(f"zstd-{n}" for n in range(1, 20))
_FAST = " ".join(f"zstd-fast-{n}" for n in (*range(1, 11), *range(20, 101, 10), 500, 1000))
_GZIPS = " ".join(f"gzip-{n}" for n in range(1, 10))
_COMPRESSIONS = f"on off lzjb gzip {_GZIPS} zle lz4 zstd zstd-fast {_LEVELS} {_FAST}"
_SUMS = "sha256 sha256,verify sha512 sha512,verify skein skein,verify"


class Property(NamedTuple):
    """One row: `kinds` has a letter for each kind of dataset it is for (f, v, s and b), `choices` the words it may be.

    `flexible` columns of `zfs list` grow with what is in them; others are as wide as the longest value there may be.
    """

    name: str
    type: str
    default: str
    setting: str
    kinds: str
    values: str
    column: str
    choices: tuple[str, ...] = ()
    flexible: bool = False
    visible: bool = True
    since: str = "11.0"

    @property
    def right(self) -> bool:
        """Whether its column is aligned to the right."""
        return self.type == NUMBER and self.name != "creation"

    @property
    def readonly(self) -> bool:
        """Whether `zfs set` refuses it."""
        return self.setting not in (INHERIT, DEFAULT)

    @property
    def inheritable(self) -> bool:
        """Whether children get it from their parent."""
        return self.setting in (INHERIT, ONCE)


def _index(
    name: str, setting: str, kinds: str, values: str, column: str, default: str, words: str = "", since: str = "11.0"
) -> Property:
    choices = tuple(words.split()) if words else tuple(values.split(" | "))
    return Property(name, INDEX, default, setting, kinds, values, column, choices, since=since)


def _string(name: str, setting: str, kinds: str, values: str, column: str, default: str = "") -> Property:
    return Property(name, STRING, default, setting, kinds, values, column, flexible=True)


def _number(
    name: str, setting: str, kinds: str, values: str, column: str, default: str = "0", flexible: bool = False
) -> Property:
    return Property(name, NUMBER, default, setting, kinds, values, column, flexible=flexible)


_SWITCH = "on | off"
_SIZE, _LIMIT, _COUNT = "<size>", "<size> | none", "<count>"

# In the order of `zfs get all`.
_TABLE: tuple[Property, ...] = (
    _string("type", READONLY, "fvsb", "filesystem | volume | snapshot | bookmark", "TYPE"),
    _number("creation", READONLY, "fvsb", "<date>", "CREATION", flexible=True),
    _number("used", READONLY, "fvs", _SIZE, "USED"),
    _number("available", READONLY, "fv", _SIZE, "AVAIL"),
    _number("referenced", READONLY, "fvsb", _SIZE, "REFER"),
    _number("compressratio", READONLY, "fvsb", "<1.00x or higher if compressed>", "RATIO"),
    _index("mounted", READONLY, "f", "yes | no", "MOUNTED", "", "off on"),
    _string("origin", READONLY, "fv", "<snapshot>", "ORIGIN"),
    _number("quota", DEFAULT, "f", _LIMIT, "QUOTA"),
    _number("reservation", DEFAULT, "fv", _LIMIT, "RESERV"),
    _number("volsize", DEFAULT, "vs", _SIZE, "VOLSIZE"),
    _number("volblocksize", ONCE, "v", "512 to 128k, power of 2", "VOLBLOCK", "16384"),
    _number("recordsize", INHERIT, "f", "512 to 1M, power of 2", "RECSIZE", "131072"),
    _string("mountpoint", INHERIT, "f", "<path> | legacy | none", "MOUNTPOINT", "/"),
    _string("sharenfs", INHERIT, "f", "on | off | NFS share options", "SHARENFS", "off"),
    _index(
        "checksum",
        INHERIT,
        "fv",
        "on | off | fletcher2 | fletcher4 | sha256 | sha512 | skein | edonr | blake3",
        "CHECKSUM",
        "on",
        "on off fletcher2 fletcher4 sha256 noparity sha512 skein edonr blake3",
    ),
    _index(
        "compression",
        INHERIT,
        "fv",
        "on | off | lzjb | gzip | gzip-[1-9] | zle | lz4 | zstd | zstd-[1-19] | zstd-fast | "
        "zstd-fast-[1-10,20,30,40,50,60,70,80,90,100,500,1000]",
        "COMPRESS",
        "on",
        _COMPRESSIONS,
    ),
    _index("atime", INHERIT, "f", _SWITCH, "ATIME", "on"),
    _index("devices", INHERIT, "fs", _SWITCH, "DEVICES", "on"),
    _index("exec", INHERIT, "fs", _SWITCH, "EXEC", "on"),
    _index("setuid", INHERIT, "fs", _SWITCH, "SETUID", "on"),
    _index("readonly", INHERIT, "fv", _SWITCH, "RDONLY", "off"),
    _index("jailed", INHERIT, "f", _SWITCH, "JAILED", "off"),
    _index("snapdir", INHERIT, "f", "hidden | visible", "SNAPDIR", "hidden"),
    _index("aclmode", INHERIT, "f", "discard | groupmask | passthrough | restricted", "ACLMODE", "discard"),
    _index(
        "aclinherit",
        INHERIT,
        "f",
        "discard | noallow | restricted | passthrough | passthrough-x",
        "ACLINHERIT",
        "restricted",
    ),
    _number("createtxg", READONLY, "fvsb", "<uint64>", "CREATETXG", flexible=True),
    Property("name", STRING, "", READONLY, "fvsb", "", "NAME", flexible=True, visible=False),
    _index("canmount", DEFAULT, "f", "on | off | noauto", "CANMOUNT", "on"),
    _index("xattr", INHERIT, "fs", "on | off | dir | sa", "XATTR", "on"),
    Property("numclones", NUMBER, "", READONLY, "s", "", "NUMCLONES", visible=False),
    _index("copies", INHERIT, "fv", "1 | 2 | 3", "COPIES", "1"),
    _index("version", DEFAULT, "fs", "1 | 2 | 3 | 4 | 5 | current", "VERSION", "5"),
    _index("utf8only", ONCE, "fs", _SWITCH, "UTF8ONLY", "off"),
    _index("normalization", ONCE, "fs", "none | formC | formD | formKC | formKD", "NORMALIZATION", "none"),
    _index("casesensitivity", ONCE, "fs", "sensitive | insensitive | mixed", "CASE", "sensitive"),
    _index("vscan", INHERIT, "f", _SWITCH, "VSCAN", "off"),
    _index("nbmand", INHERIT, "fs", _SWITCH, "NBMAND", "off"),
    _string("sharesmb", INHERIT, "f", "on | off | SMB share options", "SHARESMB", "off"),
    _number("refquota", DEFAULT, "f", _LIMIT, "REFQUOTA"),
    _number("refreservation", DEFAULT, "fv", _LIMIT, "REFRESERV"),
    _number("guid", READONLY, "fvsb", "<uint64>", "GUID", flexible=True),
    _index("primarycache", INHERIT, "fvs", "all | none | metadata", "PRIMARYCACHE", "all"),
    _index("secondarycache", INHERIT, "fvs", "all | none | metadata", "SECONDARYCACHE", "all"),
    _number("usedbysnapshots", READONLY, "fv", _SIZE, "USEDSNAP"),
    _number("usedbydataset", READONLY, "fv", _SIZE, "USEDDS"),
    _number("usedbychildren", READONLY, "fv", _SIZE, "USEDCHILD"),
    _number("usedbyrefreservation", READONLY, "fv", _SIZE, "USEDREFRESERV"),
    _index("defer_destroy", READONLY, "s", "yes | no", "DEFER_DESTROY", "", "off on"),
    _number("userrefs", READONLY, "s", _COUNT, "USERREFS"),
    _index("logbias", INHERIT, "fv", "latency | throughput", "LOGBIAS", "latency"),
    _number("objsetid", READONLY, "fvs", "<uint64>", "OBJSETID", flexible=True),
    _index(
        "dedup",
        INHERIT,
        "fv",
        "on | off | verify | sha256[,verify] | sha512[,verify] | skein[,verify] | edonr,verify | blake3[,verify]",
        "DEDUP",
        "off",
        f"on off verify {_SUMS} edonr,verify blake3 blake3,verify",
    ),
    _string("mlslabel", INHERIT, "fvs", "<sensitivity label>", "MLSLABEL", "none"),
    _index("sync", INHERIT, "fv", "standard | always | disabled", "SYNC", "standard"),
    _index("dnodesize", INHERIT, "f", "legacy | auto | 1k | 2k | 4k | 8k | 16k", "DNSIZE", "legacy"),
    _number("refcompressratio", READONLY, "fvs", "<1.00x or higher if compressed>", "REFRATIO"),
    _number("written", READONLY, "fvs", _SIZE, "WRITTEN"),
    _string("clones", READONLY, "s", "<dataset>[,...]", "CLONES"),
    _number("logicalused", READONLY, "fv", _SIZE, "LUSED"),
    _number("logicalreferenced", READONLY, "fvsb", _SIZE, "LREFER"),
    _index("volmode", INHERIT, "fv", "default | full | geom | dev | none", "VOLMODE", "default"),
    _number("filesystem_limit", DEFAULT, "f", "<count> | none", "FSLIMIT", "none"),
    _number("snapshot_limit", DEFAULT, "fv", "<count> | none", "SSLIMIT", "none"),
    _number("filesystem_count", READONLY, "f", _COUNT, "FSCOUNT", "none"),
    _number("snapshot_count", READONLY, "fv", _COUNT, "SSCOUNT", "none"),
    _index("snapdev", INHERIT, "fv", "hidden | visible", "SNAPDEV", "hidden"),
    _index("acltype", INHERIT, "fs", "off | nfsv4 | posix", "ACLTYPE", "nfsv4"),
    _string("context", DEFAULT, "fvs", "<selinux context>", "CONTEXT", "none"),
    _string("fscontext", DEFAULT, "fvs", "<selinux fscontext>", "FSCONTEXT", "none"),
    _string("defcontext", DEFAULT, "fvs", "<selinux defcontext>", "DEFCONTEXT", "none"),
    _string("rootcontext", DEFAULT, "fvs", "<selinux rootcontext>", "ROOTCONTEXT", "none"),
    _index("relatime", INHERIT, "f", _SWITCH, "RELATIME", "on"),
    _index("redundant_metadata", INHERIT, "fv", "all | most | some | none", "REDUND_MD", "all"),
    _index("overlay", INHERIT, "f", _SWITCH, "OVERLAY", "on"),
    _string("receive_resume_token", READONLY, "fv", "<string token>", "RESUMETOK"),
    _index(
        "encryption",
        ONCE,
        "fvs",
        "on | off | aes-128-ccm | aes-192-ccm | aes-256-ccm | aes-128-gcm | aes-192-gcm | aes-256-gcm",
        "ENCRYPTION",
        "off",
    ),
    _string("keylocation", DEFAULT, "fv", "prompt | <file URI> | <https URL> | <http URL>", "KEYLOCATION", "none"),
    _index("keyformat", ONCE_DEFAULT, "fv", "none | raw | hex | passphrase", "KEYFORMAT", "none"),
    _number("pbkdf2iters", ONCE_DEFAULT, "fv", "<iters>", "PBKDF2ITERS", flexible=True),
    _string("encryptionroot", READONLY, "fvs", "<filesystem | volume>", "ENCROOT"),
    _index("keystatus", READONLY, "fvs", "none | unavailable | available", "KEYSTATUS", ""),
    _number("special_small_blocks", INHERIT, "f", "zero or 512 to 1M, power of 2", "SPECIAL_SMALL_BLOCKS"),
    _number("snapshots_changed", READONLY, "fv", "<date>", "SNAPSHOTS_CHANGED", flexible=True),
    _index("prefetch", INHERIT, "fvs", "none | metadata | all", "PREFETCH", "all", since="14.3"),
    _index("volthreading", DEFAULT, "v", _SWITCH, "zvol threading", "on", since="15.0"),
    _index("direct", INHERIT, "f", "disabled | standard | always", "DIRECT", "standard", since="15.0"),
    _index("longname", INHERIT, "f", _SWITCH, "LONGNAME", "off", since="15.0"),
)

# What another word is kept as: synonyms of OpenZFS.
_SYNONYMS = {
    ("volmode", "full"): "geom",
    ("acltype", "disabled"): "off",
    ("acltype", "noacl"): "off",
    ("acltype", "posixacl"): "posix",
    ("aclinherit", "secure"): "restricted",
    ("version", "current"): "5",
    ("compression", "gzip-6"): "gzip",
}
# What the ZFS of FreeBSD 11 and 12, before OpenZFS, does not know.
_SINCE_OPENZFS = (
    *("encryption", "keylocation", "keyformat", "pbkdf2iters", "encryptionroot", "keystatus", "special_small_blocks"),
    *("dnodesize", "acltype", "context", "fscontext", "defcontext", "rootcontext", "relatime", "overlay", "snapdev"),
)
_OLD_DEFAULTS = {"compression": "off", "relatime": "off", "volblocksize": "8192"}


def at_least(release: str, since: str) -> bool:
    """Whether a release of FreeBSD is another one or newer."""
    return tuple(map(int, release.split("."))) >= tuple(map(int, since.split(".")))


@cache
def table(release: str) -> dict[str, Property]:
    """The native properties that a release knows, by name, in the order of `zfs get all`."""
    new = at_least(release, "14.0")
    return {
        row.name: row if new or row.name not in _OLD_DEFAULTS else row._replace(default=_OLD_DEFAULTS[row.name])
        for row in _TABLE
        if at_least(release, "13.0" if row.name in _SINCE_OPENZFS else row.since)
    }


def look_up(release: str, word: str) -> Property | None:
    """The native property of a name, or of a column's heading in lower case (`avail`, `refer`, `compress`)."""
    known = table(release)
    if word in known:
        return known[word]
    return next((row for row in known.values() if row.column.lower() == word), None)


def is_user(word: str) -> bool:
    """Whether a word can name a user property: it has a colon, and lower case, digits and `:-._` only."""
    return ":" in word and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-_.:" for c in word)


def is_counted(word: str) -> bool:
    """Whether a word is one of the families that name a user, a group, a project or a snapshot after `@`."""
    family, at, _ = word.partition("@")
    if (family == "written" and at) or word.startswith("written#"):
        return True
    who = family.removesuffix("used").removesuffix("quota").removesuffix("obj")
    return bool(at) and who in ("user", "group", "project") and family.endswith(("used", "quota"))


def canonical(name: str, word: str) -> str:
    """The word that an index property shows for one that was set."""
    return _SYNONYMS.get((name, word), word)


def synonyms(name: str) -> set[str]:
    """The words that an index property accepts beside its own."""
    return {word for one, word in _SYNONYMS if one == name}
