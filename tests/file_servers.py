"""Servers on loopback that give files as real ones do, and misbehave as real ones do."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One file of a server, and what goes wrong with it.

    `breaks`: after how many bytes each next answer is cut off; `later`: what the file is after the first answer;
    `length`: the length that is told instead of the true one; `stall`: an answer waits there until the server ends.
    """

    data: bytes
    tag: str = '"one"'
    breaks: list[int] = field(default_factory=list)
    later: bytes | None = None
    later_tag: str = '"two"'
    ranges: bool = True
    heeds_if_range: bool = True
    length: int | None = None
    redirect: str = ""
    status: int = 200
    statuses: list[int] = field(default_factory=list)
    chunked: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    stall: bool = False
    login: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    def next_break(self, size: int) -> int:
        return self.breaks.pop(0) if self.breaks else size

    def change(self) -> None:
        if self.later is not None:
            self.data, self.tag, self.later = self.later, self.later_tag, None


class WebFiles(ThreadingHTTPServer):
    """An HTTP server of the files in `files`, by path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Web)
        self.files: dict[str, Served] = {}
        self.ended = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what these tests are about."""


class _Web(BaseHTTPRequestHandler):
    server: WebFiles

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        served = self.server.files.get(self.path.partition("?")[0])
        if served is None:
            self.send_error(404)
            return
        served.asked.append(dict(self.headers))
        status = served.statuses.pop(0) if served.statuses else served.status
        if served.redirect:
            self.send_response(302)
            self.send_header("Location", served.redirect)
            self.end_headers()
        elif status != 200:
            self.send_error(status)
        elif served.login and self.headers.get("Authorization") != served.login:
            self.send_error(401)
        else:
            self._give(served)

    def _start(self, served: Served) -> int | None:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range", served.tag)
        if not match or not served.ranges or (condition != served.tag and served.heeds_if_range):
            return 0
        return int(match[1]) if int(match[1]) < len(served.data) else None

    def _give(self, served: Served) -> None:
        start = self._start(served)
        if start is None:
            self.send_error(416)
            return
        body = served.data[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(served.data) - 1}/{len(served.data)}")
        if served.tag:
            self.send_header("ETag", served.tag)
        for name, value in served.headers.items():
            self.send_header(name, value)
        if served.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body) if served.length is None else served.length))
        self.end_headers()
        part = body[: served.next_break(len(body))]
        self._send(served, part, whole=len(part) == len(body))
        served.change()

    def _send(self, served: Served, part: bytes, whole: bool) -> None:
        if served.chunked:
            part = b"%x\r\n%s\r\n" % (len(part), part) + (b"0\r\n\r\n" if whole else b"")
        self.wfile.write(part)
        self.wfile.flush()
        if served.stall:
            self.server.ended.wait()
        self.close_connection = True


class FtpFiles(socketserver.ThreadingTCPServer):
    """An FTP server of the files in `files`, by path; `commands` is what it heard, `rest` whether it knows REST."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Ftp)
        self.files: dict[str, Served] = {}
        self.commands: list[str] = []
        self.rest = True
        self.sizes = True

    def url(self, path: str) -> str:
        return f"ftp://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what these tests are about."""


class _Ftp(socketserver.StreamRequestHandler):
    server: FtpFiles
    offset = 0
    listener: socket.socket | None = None

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            self.server.commands.append(line)
            verb, _, word = line.partition(" ")
            answer = getattr(self, f"_{verb.lower()}", None)
            if answer is None:
                self._say("502 not known")
            elif answer(word) is False:
                break
        if self.listener:
            self.listener.close()

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _user(self, name: str) -> None:
        self._say("331 password")

    def _pass(self, word: str) -> None:
        self._say("230 in")

    def _type(self, kind: str) -> None:
        self._say("200 " + kind)

    def _size(self, path: str) -> None:
        served = self.server.files.get("/" + path)
        self._say(f"213 {len(served.data)}" if served and self.server.sizes else "550 none")

    def _mdtm(self, path: str) -> None:
        served = self.server.files.get("/" + path)
        self._say(f"213 {served.tag}" if served and self.server.sizes else "550 none")

    def _pasv(self, word: str) -> None:
        if self.listener:
            self.listener.close()
        self.listener = socket.create_server(("127.0.0.1", 0))
        high, low = divmod(self.listener.getsockname()[1], 256)
        self._say(f"227 Entering Passive Mode (127,0,0,1,{high},{low})")

    def _rest(self, offset: str) -> None:
        self.offset = int(offset) if self.server.rest else 0
        self._say(f"350 from {offset}" if self.server.rest else "502 not known")

    def _retr(self, path: str) -> bool:
        served = self.server.files.get("/" + path)
        if served is None or self.listener is None:
            self._say("550 no such file")
            return True
        self._say("150 here it comes")
        connection, _ = self.listener.accept()
        body = served.data[self.offset :]
        part = body[: served.next_break(len(body))]
        served.change()
        with connection:
            connection.sendall(part)
        if len(part) < len(body):
            return False
        self._say("226 done")
        return True


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Let a server work in a thread while the block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        if isinstance(server, WebFiles):
            server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
