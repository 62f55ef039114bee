"""`chyves completion SHELL`: the lines by which a shell asks chyves for the next word, through argcomplete."""

from __future__ import annotations

SHELLS = ("bash", "zsh", "tcsh", "fish")

TCSH = """\
complete chyves 'p@*@`env _ARGCOMPLETE=1 _ARGCOMPLETE_SHELL=tcsh _ARGCOMPLETE_SUPPRESS_SPACE=1 \
_ARGCOMPLETE_STDOUT_FILENAME=/dev/stdout chyves`@@'
"""
"""argcomplete leaves tcsh to a program that not every package of it has; tcsh itself tells the line (COMMAND_LINE)."""


def script(shell: str) -> str:
    """The script that a shell reads at its start."""
    if shell == "tcsh":
        return TCSH
    from argcomplete.shell_integration import shellcode

    return shellcode(["chyves"], use_defaults=False, shell=shell)
