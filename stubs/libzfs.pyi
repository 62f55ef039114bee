# py-libzfs as far as chyves uses it: the revision of 7 February 2023 (c1bd4a0), which FreeBSD's port
# filesystems/py-libzfs and Debian's package python3-libzfs are made of. Properties of a dataset that has none are not
# there, or are "" where zfs(8) shows "-".
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import TypedDict

class Error(IntEnum):
    SUCCESS = ...
    NOENT = ...

class ZFSException(RuntimeError):
    code: int

class _Property(TypedDict):
    value: str
    rawvalue: str
    source: str

class _Dataset(TypedDict, total=False):
    name: str
    type: str
    properties: dict[str, _Property]
    children: list[_Dataset]

class ZPoolProperty:
    @property
    def rawvalue(self) -> str: ...

class ZFSDataset:
    @property
    def name(self) -> str: ...
    @property
    def children(self) -> Iterator[ZFSDataset]: ...

class ZFSPool:
    @property
    def name(self) -> str: ...
    @property
    def properties(self) -> Mapping[str, ZPoolProperty]: ...

class ZFS:
    def __init__(self, history: bool = ...) -> None: ...
    @property
    def errno(self) -> Error: ...
    @property
    def pools(self) -> Iterator[ZFSPool]: ...
    def get_dataset(self, name: str) -> ZFSDataset: ...
    def datasets_serialized(
        self,
        props: Iterable[str] | None = ...,
        user_props: bool = ...,
        datasets: Iterable[str] | None = ...,
        snapshots: bool = ...,
        retrieve_children: bool = ...,
    ) -> Iterator[_Dataset]: ...
