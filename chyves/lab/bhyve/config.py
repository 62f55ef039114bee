"""bhyve's configuration tree: dotted names, last write wins, `%(name)` is expanded when a value is read.

Rules from bhyve_config(5) and the reference, section 1.4.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Union

from chyves.lab.bhyve.ends import fatal

Tree = dict[str, Union[str, "Tree"]]

TRUE, FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0")
DEEPEST = 15


class Config:
    """A node of the tree (the root when made without arguments); values read from it are expanded from the root."""

    def __init__(self, tree: Tree | None = None, root: Config | None = None, name: str = "") -> None:
        self._tree: Tree = {} if tree is None else tree
        self._root = root or self
        self.name = name

    def set(self, path: str, value: str) -> None:
        """Set a variable; raises Stop (4) where the name is a node, or goes through a variable."""
        *above, name = path.split(".")
        tree = self._tree
        for depth, part in enumerate(above):
            below = tree.setdefault(part, {})
            if isinstance(below, str) or not part:
                fatal(f"Failed to create configuration node {'.'.join(above[: depth + 1])}")
            tree = below
        if isinstance(tree.get(name), dict):
            fatal(f"Attempting to add value {value} to existing node {path}")
        tree[name] = value

    def node(self, path: str) -> Config | None:
        """The node of this name, or None."""
        tree: str | Tree = self._tree
        for part in path.split("."):
            if isinstance(tree, str) or part not in tree:
                return None
            tree = tree[part]
        return None if isinstance(tree, str) else Config(tree, self._root, f"{self.name}.{path}".lstrip("."))

    def make(self, path: str) -> Config:
        """The node of this name, made where it is not there."""
        tree = self._tree
        for part in path.split("."):
            below = tree.setdefault(part, {})
            if isinstance(below, str):
                fatal(f"Failed to create configuration node {path}")
            tree = below
        return Config(tree, self._root, f"{self.name}.{path}".lstrip("."))

    def get(self, path: str) -> str | None:
        """A variable's value, expanded; None where there is none."""
        raw = self._raw(path)
        return None if raw is None else self._root.expand(raw)

    def flag(self, path: str, default: bool = False) -> bool:
        """A variable as a boolean; raises Stop (4) for other words."""
        value = self.get(path)
        if value is None:
            return default
        if value.lower() in TRUE:
            return True
        if value.lower() not in FALSE:
            fatal(f"Invalid value {value} for boolean variable {path}")
        return False

    def names(self) -> list[str]:
        """The names of the variables and nodes right below."""
        return list(self._tree)

    def dump(self, prefix: str = "") -> Iterator[str]:
        """Every variable below as `name=value`, unexpanded, in the order of first writing."""
        for name, value in self._tree.items():
            if isinstance(value, str):
                yield f"{prefix}{name}={value}"
            else:
                yield from Config(value, self._root).dump(f"{prefix}{name}.")

    def expand(self, value: str, depth: int = 0) -> str:
        """Replace `%(name)`; `%%` and a backslash protect. A value without `%` is not looked at."""
        return value if "%" not in value else "".join(self._expanded(value, depth))

    def _expanded(self, value: str, depth: int) -> Iterator[str]:
        at = 0
        while at < len(value):
            character = value[at]
            close = value.find(")", at)
            if character == "\\" or value.startswith("%%", at):
                yield value[at + 1 : at + 2]
                at += 2
            elif value.startswith("%(", at) and close > at + 2 and depth <= DEEPEST:
                yield self._reference(value[at + 2 : close], depth)
                at = close + 1
            else:
                if character == "%":
                    print(f'bhyve: Invalid reference in configuration value "{value}"', file=sys.stderr)
                yield character
                at += 1

    def _reference(self, path: str, depth: int) -> str:
        raw = self._raw(path)
        if raw is None:
            print(f"bhyve: Failed to fetch referenced configuration variable {path}", file=sys.stderr)
            return ""
        return self.expand(raw, depth + 1)

    def _raw(self, path: str) -> str | None:
        above, _, name = path.rpartition(".")
        node = self.node(above) if above else self
        value = None if node is None else node._tree.get(name)
        return value if isinstance(value, str) else None
