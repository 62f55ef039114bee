#!/usr/bin/python3 -IS
"""What does the work in the machine: runs the programs and writes the files that the tests outside ask for.

A request is a line of JSON on the port `agent`, and so is its answer, which has the request's number. Requests are done
side by side: one that waits for a suspended pool for ever holds up no other.
"""

import base64
import json
import os
import subprocess
import threading
from typing import Any

Message = dict[str, Any]
PORT = "/dev/virtio-ports/agent"
_one_answer = threading.Lock()


def main() -> None:
    port = os.open(PORT, os.O_RDWR)
    _answer(port, {"number": 0})
    with open(os.dup(port), "rb") as requests:
        for line in requests:
            threading.Thread(target=_do, args=(port, json.loads(line)), daemon=True).start()


def _do(port: int, request: Message) -> None:
    try:
        answer = DONE[request["do"]](request)
    except OSError as error:
        answer = {"error": str(error)}
    _answer(port, {"number": request["number"], **answer})


def _answer(port: int, answer: Message) -> None:
    rest = memoryview(json.dumps(answer).encode() + b"\n")
    with _one_answer:
        while rest:
            rest = rest[os.write(port, rest) :]


def _run(request: Message) -> Message:
    done = subprocess.run(
        request["argv"],
        input=_bytes(request["stdin"]),
        capture_output=True,
        cwd=request["cwd"],
        env={**os.environ, **request["env"]},
    )
    return {"status": done.returncode, "stdout": _text(done.stdout), "stderr": _text(done.stderr)}


def _put(request: Message) -> Message:
    os.makedirs(os.path.dirname(request["path"]), exist_ok=True)
    with open(request["path"], "wb") as file:
        file.write(base64.b64decode(request["content"]))
    os.chmod(request["path"], request["mode"])
    return {}


def _get(request: Message) -> Message:
    with open(request["path"], "rb") as file:
        return {"content": base64.b64encode(file.read()).decode()}


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _bytes(content: str) -> bytes:
    return content.encode("utf-8", "surrogateescape")


DONE = {"run": _run, "put": _put, "get": _get}

if __name__ == "__main__":
    main()
