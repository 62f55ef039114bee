"""The table of what is fuzzed; a target that is not here is not tried."""

from __future__ import annotations

from fuzz import answers, files, lines
from fuzz.cases import Target

TARGETS = (
    Target("command line", lines.command_line),
    Target("completion", lines.completed),
    Target("line at the prompt", lines.prompted),
    Target("choice of guests", lines.target),
    Target("value of a property", lines.value),
    Target("name", lines.name),
    Target("name of an image", lines.image),
    Target("text to be shown", lines.told),
    Target("property file", files.property_file),
    Target("start of a guest", files.start),
    Target("bhyve line in the lab", files.bhyve_line),
    Target("answer of zfs", answers.zfs),
    Target("answer of ifconfig", answers.ifconfig),
    Target("answer of ps and sysctl", answers.processes),
)
