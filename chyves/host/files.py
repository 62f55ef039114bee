"""Files of the host: read strictly, written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from chyves.errors import ChyvesError, Denied
from chyves.host.run import End, show

LARGEST = 1 << 20
"""Bytes of the largest file that is read as a whole: a hundred times what any of chyves has."""


ANY, SECRET = 0o7777, 0o600
"""What may be in the mode of a file: without a secret, and with one."""
NO_FILE = -1
"""The descriptor of what a dry run does not open."""
OTHERS = 0o027
"""What may not be in the mode of a directory that has a secret in it."""


class Files:
    """Reads and changes files. Every failure is a ChyvesError that names the file and the reason."""

    def read(self, path: Path) -> str:
        """The text of a regular file, which must be UTF-8; nothing is waited for, and no link is followed."""
        with _told(path, "cannot be read"):
            data = _bytes(path)
        return text_of(data, path)

    def read_properties(self, path: Path) -> dict[str, str]:
        """The properties in a file of `name=value` lines; raises ChyvesError where it is not one."""
        from chyves.section import read_text

        return read_text(self.read(path), str(path))

    def write(self, path: Path, text: str, mode: int = 0o644) -> None:
        """Write a file whole: after a failure or a power cut the old file is there, or the new one, never a part.

        A file that exists keeps its mode and owner, but for this: what has a secret in it (chyves.masking) is for its
        owner alone. A link is refused: what it points to would stay as it is.
        """
        from chyves.masking import holds_secret

        if path.is_symlink():
            raise ChyvesError(f"{path}: is a link, which is not written through; put a file in its place")
        self._put(path, text, mode, SECRET if holds_secret(text) else ANY)

    def write_properties(self, path: Path, properties: Mapping[str, str], mode: int = 0o644) -> None:
        """Write a file of `name=value` lines, sorted by name."""
        from chyves.section import write_text

        self.write(path, write_text(properties), mode)

    def copy(self, path: Path, new: Path, mode: int) -> None:
        """Copy a file of some megabytes whole, or not at all, in the place of one that is there; links are followed."""
        with _told(path, "cannot be read"):
            data = path.read_bytes()
        with _told(new, "cannot be written"):
            _replace(new, data, mode, mode)

    def make_directory(self, path: Path, mode: int = 0o755) -> None:
        """Make a directory, and those above it; one that exists is left as it is."""
        with _told(path, "cannot be made"):
            if not path.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.mkdir(exist_ok=True)
                path.chmod(mode)
                _sync_directory(path.parent)

    def link(self, path: Path, new: Path) -> None:
        """Give a file a further name, in the same file system; one that it has already stays."""
        with _told(new, "cannot be made"):
            if not (new.exists() and new.samefile(path)):
                os.link(path, new)
                _sync_directory(new.parent)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there; a power cut does not bring it back."""
        with _told(path, "cannot be removed"):
            try:
                path.unlink()
            except FileNotFoundError:
                return
            _sync_directory(path.parent)

    def remove_unfinished(self, path: Path) -> None:
        """Remove what writers of a file left beside it when they were killed; only while nobody else may write it."""
        try:
            names = os.listdir(path.parent)
        except FileNotFoundError:
            return
        for name in names:
            if name.startswith(f".{path.name}.") and re.fullmatch(r"\d+\.new", name[len(path.name) + 2 :]):
                self.remove(path.with_name(name))

    def begin(self, path: Path) -> End:
        """A new file beside what is to be `path`, open to be written, and for its owner alone.

        `remove_unfinished` takes it away; it is `path` once it is `put`.
        """
        new = path.with_name(f".{path.name}.{os.getpid()}.new")
        with _told(path, "cannot be written"):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            return End(os.open(new, flags, 0o600), str(new))

    def put(self, begun: End, path: Path) -> None:
        """Have what was begun be the file, once all of it is on the disk; raises ChyvesError where there is one now."""
        with _told(path, "cannot be written"):
            os.fsync(begun.descriptor)
            if os.path.lexists(path):
                raise ChyvesError(f"{path}: is there by now, and was not before; choose another name")
            os.rename(begun.name, path)
            with suppress(OSError):  # a file system that is not ZFS may not know how; all but the name is safe
                _sync_directory(path.parent)

    def resize(self, path: Path, size: int) -> None:
        """Give a file this many bytes; what is added is zeroes that take no room, what is behind it is lost.

        One that was to grow and cannot has its old size.
        """
        with _told(path, "cannot be resized"):
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                _resize(descriptor, size)
            finally:
                os.close(descriptor)

    def forbid(self, path: Path, bits: int) -> None:
        """Take bits out of the mode of a file or directory; a link is not followed."""
        with _told(path, "cannot get another mode"):
            self._set_mode(path, path.lstat().st_mode & 0o7777 & ~bits)

    def _set_mode(self, path: Path, mode: int) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)

    def give(self, path: Path, uid: int) -> None:
        """Give a file or directory to a user; a link is not followed."""
        with _told(path, "cannot get another owner"):
            os.chown(path, uid, -1, follow_symlinks=False)

    def _put(self, path: Path, text: str, mode: int, among: int) -> None:
        with _told(path, "cannot be written"):
            _replace(path, text.encode(), mode, among)


def text_of(data: bytes, path: Path) -> str:
    """The text that a file's bytes are; raises ChyvesError that names the line which is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        odd = ascii(data[error.start : error.end])[2:-1]
        raise ChyvesError(f"{path}: line {line} is not UTF-8 text: it has {odd}; mend the line") from None


def _bytes(path: Path) -> bytes:
    """What is in a file; raises OSError, also for what only looks like one: a pipe would be waited for."""
    descriptor = _opened(path)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ChyvesError(f"{path}: is no regular file; put one in its place")
        if status.st_size > LARGEST:
            raise ChyvesError(f"{path}: is larger than {LARGEST} bytes, which no such file is; look at it")
        data = b""
        while len(data) <= LARGEST and (more := os.read(descriptor, status.st_size + 1)):
            data += more
        return data
    finally:
        os.close(descriptor)


def opened_to_add(path: Path, mode: int) -> int:
    """A file, made where it is missing, open to add to; raises OSError.

    Nothing is waited for, and neither the file nor its directory may be a link: somebody else than root may be allowed
    to write in a guest's dataset, and shall not have root write elsewhere.
    """
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, mode, dir_fd=directory)
    finally:
        os.close(directory)
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is a pipe")
    return descriptor


def _opened(path: Path) -> int:
    """A file that is there, open for reading; what a link points to may be somebody else's, and is not told."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise ChyvesError(f"{path}: is a link, which is not followed; put a file in its place") from None
        if error.errno in (errno.ENXIO, errno.EOPNOTSUPP):
            raise ChyvesError(f"{path}: is no regular file; put one in its place") from None
        raise


class DryFiles(Files):
    """Prints the changes of files, each as a line for sh, and still reads."""

    def copy(self, path: Path, new: Path, mode: int) -> None:
        """Print the line that copies the file."""
        show(["install", "-m", f"{mode:o}", str(path), str(new)])

    def make_directory(self, path: Path, mode: int = 0o755) -> None:
        """Print the line that makes the directory."""
        if not path.is_dir():
            show(["mkdir", "-p", "-m", f"{mode:o}", str(path)])

    def link(self, path: Path, new: Path) -> None:
        """Print the line that gives the file a further name."""
        show(["ln", str(path), str(new)])

    def remove(self, path: Path) -> None:
        """Print the line that removes the file."""
        show(["rm", "-f", str(path)])

    def begin(self, path: Path) -> End:
        """Print the line that makes the file; there is no descriptor."""
        new = path.with_name(f".{path.name}.0.new")
        show(["install", "-m", "600", "/dev/null", str(new)])
        return End(NO_FILE, str(new))

    def put(self, begun: End, path: Path) -> None:
        """Print the line that gives the file its name."""
        show(["mv", begun.name, str(path)])

    def resize(self, path: Path, size: int) -> None:
        """Print the line that gives the file its size."""
        show(["truncate", "-s", str(size), str(path)])

    def _set_mode(self, path: Path, mode: int) -> None:
        show(["chmod", f"{mode:o}", str(path)])

    def give(self, path: Path, uid: int) -> None:
        """Print the line that gives the file to the user."""
        show(["chown", "-h", str(uid), str(path)])

    def _put(self, path: Path, text: str, mode: int, among: int) -> None:
        if among != ANY:
            # The printf of sh is no process of its own, so that ps(1) does not show what it writes.
            show(["install", "-m", f"{mode & among:o}", "/dev/null", str(path)])
        show(printf(text), f"> {_quoted(path)}")
        if mode != 0o644 and among == ANY and not path.exists():
            show(["chmod", f"{mode:o}", str(path)])


def printf(text: str) -> list[str]:
    """The words that let sh print a text exactly, without a line end in them."""
    *lines, last = text.split("\n")
    if lines and not last:
        return ["printf", "%s\\n", *lines]
    return ["printf", "%s\\n" * len(lines) + "%s", *lines, last]


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Tell of an error of the system as one sentence about the file."""
    try:
        yield
    except OSError as error:
        kind = Denied if isinstance(error, PermissionError) else ChyvesError
        raise kind(f"{path}: {what}: {error.strerror}; see to that and try again") from None


def _replace(path: Path, data: bytes, mode: int, among: int) -> None:
    """Write a new file beside the old one and put it in its place; its mode is what it had, or `mode`, of `among`."""
    try:
        old = path.lstat()
    except FileNotFoundError:
        old = None
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        try:
            _write(descriptor, data)
            os.fchmod(descriptor, (old.st_mode & 0o7777 if old else mode) & among)
            if old and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                _keep_owner(descriptor, old)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _resize(descriptor: int, size: int) -> None:
    old = os.fstat(descriptor).st_size
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, min(size, old))
        raise


def _keep_owner(descriptor: int, old: os.stat_result) -> None:
    """Give the new file the owner of the old one, as far as this user may."""
    try:
        os.fchown(descriptor, old.st_uid, old.st_gid)
    except PermissionError:
        pass


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it: a disk that is almost full takes a part at first."""
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_directory(path: Path) -> None:
    """Make the new name in a directory last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
