"""Asking an http or https server for a file."""

from __future__ import annotations

import base64
import re
import urllib.request
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from typing import IO

from chyves import __version__
from chyves.resources.download import Answer, Refused
from chyves.resources.source import Address

TIMEOUT = 30
"""Seconds without a byte after which a server counts as gone."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to http and https alone, and never from https to http, where anybody could change the file."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        scheme = newurl.partition(":")[0].lower()
        if scheme not in ("http", "https") or (req.type, scheme) == ("https", "http"):
            fp.close()
            raise Refused(
                f"{req.full_url.partition('?')[0]}: leads on to {scheme}, which is not followed; see what it is"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass
class WebServer:
    """A server that speaks http or https; the proxies that the environment names are used."""

    address: Address

    @property
    def shown(self) -> str:
        return self.address.shown

    def ask(self, offset: int, mark: str) -> Answer:
        """Ask for the file from an offset on, provided that it still is the one with this mark.

        Raises OSError and http.client.HTTPException. Ranges and their conditions: RFC 9110, sections 13.1.5 and 14.
        """
        request = urllib.request.Request(self.address.url, headers=self._headers(offset, mark))
        if self.address.user is not None:
            login = f"{self.address.user}:{self.address.password or ''}".encode()
            # Not sent on to where a redirect leads.
            request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(login).decode())
        response = urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
        return self._answer(response)

    def _headers(self, offset: int, mark: str) -> dict[str, str]:
        headers = {"User-Agent": f"chyves/{__version__}", "Accept-Encoding": "identity"}
        return headers | {"Range": f"bytes={offset}-", "If-Range": mark} if offset else headers

    def _answer(self, response: HTTPResponse) -> Answer:
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding != "identity" and not self.address.path.lower().endswith((".gz", ".xz")):
            response.close()
            raise Refused(f"{self.shown}: packs the file though it was asked not to; try another server")
        start, total = _part(response)
        return Answer(start, total, _mark(response.headers), response.read, response.close)


def _part(response: HTTPResponse) -> tuple[int, int | None]:
    """Where the bytes of an answer begin, and of how many bytes the file is."""
    if response.status == 206:
        match = re.fullmatch(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)", response.headers.get("Content-Range", "").strip())
        if match:
            return int(match[1]), None if match[2] == "*" else int(match[2])
        return -1, None
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isascii() and length.isdigit() else None


def _mark(headers: HTTPMessage) -> str:
    """What may stand in If-Range: a strong ETag, else the time of the last change."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")
