"""Asking an ftp server for a file."""

from __future__ import annotations

import ftplib
from dataclasses import dataclass

from chyves.resources.download import Answer
from chyves.resources.source import Address
from chyves.resources.web import TIMEOUT


@dataclass
class FtpServer:
    """A server that speaks ftp, passively and in binary; without a user in the address the login is anonymous."""

    address: Address

    @property
    def shown(self) -> str:
        return self.address.shown

    def ask(self, offset: int, mark: str) -> Answer:
        """Ask for the file from an offset on (REST, RFC 3659) if it has this mark; raises ftplib.Error, OSError."""
        connection = ftplib.FTP(timeout=TIMEOUT)
        try:
            return self._asked(connection, offset, mark)
        except BaseException:
            connection.close()
            raise

    def _asked(self, connection: ftplib.FTP, offset: int, mark: str) -> Answer:
        connection.connect(self.address.host, self.address.port or ftplib.FTP_PORT)
        connection.login(self.address.user or "", self.address.password or "")
        connection.voidcmd("TYPE I")
        path = self.address.path.removeprefix("/")
        total = _size(connection, path)
        now = _mark(connection, path, total)
        start = offset if offset and mark == now else 0
        try:
            data, _ = connection.ntransfercmd(f"RETR {path}", start or None)
        except ftplib.error_perm:
            if not start:
                raise
            start = 0
            data, _ = connection.ntransfercmd(f"RETR {path}")

        def close() -> None:
            data.close()
            connection.close()

        return Answer(start, total, now, data.recv, close, connection.voidresp)


def _size(connection: ftplib.FTP, path: str) -> int | None:
    try:
        return connection.size(path)
    except (ftplib.error_perm, ftplib.error_temp):
        return None


def _mark(connection: ftplib.FTP, path: str, total: int | None) -> str:
    """Size and time of the last change, where the server tells both."""
    try:
        changed = connection.sendcmd(f"MDTM {path}")
    except (ftplib.error_perm, ftplib.error_temp):
        return ""
    return f"{total} {changed}" if total is not None else ""
