"""make install, deinstall, installrc and rcremove; and the port, whose files are what make makes."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chyves

TOP = Path(__file__).parents[2]


def make(*words: str) -> None:
    subprocess.run(["make", "-s", f"PYTHON={sys.executable}", *words], cwd=TOP, check=True, stdout=subprocess.DEVNULL)


def files(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}


def test_install_makes_a_program_that_runs_and_deinstall_leaves_nothing(tmp_path: Path) -> None:
    make("install", f"PREFIX={tmp_path}")
    program = tmp_path / "sbin" / "chyves"
    assert program.stat().st_mode & 0o777 == 0o555
    # With -P the checkout is not in the way: what runs is what was installed.
    helped = subprocess.run([sys.executable, "-P", program, "help"], cwd="/", text=True, capture_output=True)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "create" in helped.stdout
    completions = ("bash-completion/completions/chyves", "zsh/site-functions/_chyves", "fish/vendor_completions.d")
    assert all((tmp_path / "share" / place).exists() for place in completions)
    make("deinstall", f"PREFIX={tmp_path}")
    assert files(tmp_path) == set()


def test_install_below_destdir_names_the_final_place(tmp_path: Path) -> None:
    make("install", "installrc", "PREFIX=/opt/x", f"DESTDIR={tmp_path}")
    assert 'sys.path.insert(0, "/opt/x/lib/' in (tmp_path / "opt/x/sbin/chyves").read_text()
    assert '"${chyves_program:=/opt/x/sbin/chyves}"' in (tmp_path / "opt/x/etc/rc.d/chyves").read_text()
    daily = tmp_path / "opt/x/etc/periodic/daily/415.chyves-doctor"
    assert '"${daily_chyves_doctor_program:=/opt/x/sbin/chyves}"' in daily.read_text()
    assert daily.stat().st_mode & 0o777 == 0o555
    make("deinstall", "rcremove", "PREFIX=/opt/x", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == set()


PORT = TOP / "port/sysutils/chyves"
STUB = """\
PREFIX = /usr/local
DOCSDIR = ${PREFIX}/share/doc/chyves
EXAMPLESDIR = ${PREFIX}/share/examples/chyves
FILESDIR = ${.CURDIR}/files
MKDIR = mkdir -p
INSTALL_DATA = install -m 0644
INSTALL_MAN = install -m 0444
RLN = ln -sf
SED = sed
CHMOD = chmod
"""
"""What of bsd.port.mk the port's own targets use."""
needs_bmake = pytest.mark.skipif(shutil.which("bmake") is None, reason="the port is written for FreeBSD's make")


def port(tmp_path: Path, *words: str) -> str:
    """What FreeBSD's make says of the port."""
    (tmp_path / "bsd.port.mk").write_text(STUB)
    (tmp_path / "sys.mk").touch()
    line = ["bmake", "-m", str(tmp_path), *words]
    return subprocess.run(line, cwd=PORT, check=True, capture_output=True, text=True).stdout


@needs_bmake
def test_the_port_is_of_this_version_and_has_its_options(tmp_path: Path) -> None:
    def value(name: str) -> str:
        return port(tmp_path, "-V", name).strip()

    assert value("DISTVERSION") == chyves.__version__
    for option in value("OPTIONS_DEFINE").split():
        if option not in ("DOCS", "EXAMPLES"):
            assert value(f"{option}_DESC") and ":" in value(f"{option}_RUN_DEPENDS")
    house = configparser.ConfigParser()
    house.read(TOP / "setup.cfg")
    for module in house["options"]["install_requires"].split():
        assert f"{module}>0:devel/py-{module}" in value("RUN_DEPENDS")
    assert value("USE_RC_SUBR") == "chyves"


@needs_bmake
def test_the_port_installs_what_its_plist_says(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    for directory in ("bin", "sbin", "share/man/man8"):
        (stage / "usr/local" / directory).mkdir(parents=True)
    words = [f"STAGEDIR={stage}", f"WRKSRC={TOP}", f"PYTHON_CMD={sys.executable}"]
    port(tmp_path, *words, "post-install", "post-install-DOCS-on", "post-install-EXAMPLES-on")
    made = {str(path.relative_to(stage / "usr/local")) for path in stage.rglob("*") if not path.is_dir()}
    # PORTDOCS and PORTEXAMPLES list these by themselves.
    documents = {name for name in made if name.startswith(("share/doc/chyves/", "share/examples/chyves/"))}
    assert {"share/doc/chyves/README.md", "share/examples/chyves/rc.conf.sample"} <= documents
    assert made - documents == set((PORT / "pkg-plist").read_text().replace("chyves.8.gz", "chyves.8").split())


def test_the_port_has_the_same_script_as_the_host() -> None:
    script = (TOP / "rc.d/chyves").read_text().replace(":=/usr/local/sbin/", ":=%%PREFIX%%/sbin/")
    assert (PORT / "files/chyves.in").read_text() == script
    assert "%%PREFIX%%" in script


def test_descriptions_of_the_port_are_of_the_width_that_ports_have() -> None:
    for file in ("pkg-descr", "files/pkg-message.in"):
        assert max(map(len, (PORT / file).read_text().splitlines())) <= 80
