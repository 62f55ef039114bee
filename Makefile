# chyves: make what tells what there is. Written for make(1) of FreeBSD and for GNU make.
.POSIX:

PREFIX = /usr/local
PYTHON = python3
CASES = 1000000
VENV = .venv
BIN = $(VENV)/bin

.PHONY: what demo test lint bench torture fuzz man install deinstall installrc rcremove clean

what:	## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1 /p' Makefile | while read -r target text; do printf 'make %-10s  %s\n' "$$target" "$$text"; done

demo:	## make a lab, boot a real guest in it and show its life
	@PYTHON=$(PYTHON) setup/packages lab system
	@$(MAKE) -s $(VENV)/complete
	@$(BIN)/python demo/run.py

test: lint	## check the code and run all tests
	@PYTHON=$(PYTHON) setup/packages zfs bench
	@# Minutes where the cache is empty, which are of no test; tests/zfs tell why a machine cannot be had.
	@for release in 2.1 2.3; do tests/zfs/machine/build $$release >/dev/null & done; wait
	@# Three at once also on two cores: each waits for its guests half of the time.
	$(BIN)/pytest -n 3 --dist worksteal

lint:	## linters, types, rings, shell scripts and the manual
	@PYTHON=$(PYTHON) setup/packages lab system test
	@$(MAKE) -s $(VENV)/complete
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	shellcheck $$(grep -rlE --exclude='*.py*' --exclude='*.txt' '^#! ?/(usr/)?bin/(env )?(ba)?sh$$' setup demo bench rc.d periodic .ci tests)
	mandoc -T lint -W warning man/chyves.8

torture:	## break off every operation at every step, then let 8 hands work at once: TORTURE='clone* --kind killed' chooses
	@PYTHON=$(PYTHON) setup/packages lab system test zfs
	@$(MAKE) -s $(VENV)/complete
	@$(BIN)/python -m tests.torture.run $(TORTURE)
	@[ -n "$(TORTURE)" ] || $(BIN)/python -m tests.hands.run --kill

bench:	## count processes and system calls of listings, compare their time, and weigh supervisors
	@PYTHON=$(PYTHON) setup/packages lab bench
	@$(MAKE) -s $(VENV)/complete
	@$(BIN)/python -m bench.run
	@$(BIN)/python bench/supervisor.py
	@$(BIN)/python -m bench.real_pool

fuzz:	## try all that reads input with CASES cases, guided by coverage where atheris can be installed
	@PYTHON=$(PYTHON) setup/packages test
	@$(MAKE) -s $(VENV)/complete
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]' || \
	    echo 'fuzz: atheris cannot be installed here; pip says why above'
	@$(BIN)/python -m fuzz.run $(CASES)

man:	## make man/chyves.8 from its frame and the tables, build/chyves.8.html, and the types of the Python interface
	@PYTHON=$(PYTHON) setup/packages test
	@$(MAKE) -s $(VENV)/complete
	$(BIN)/python -m chyves.cli.manual < man/chyves.8.in > man/chyves.8.new
	mv man/chyves.8.new man/chyves.8
	mandoc -T lint -W warning man/chyves.8
	$(BIN)/python -m chyves.cli.calls > chyves/verbs.pyi.new
	mv chyves/verbs.pyi.new chyves/verbs.pyi
	$(BIN)/ruff format -q chyves/verbs.pyi
	@mkdir -p build
	mandoc -T html -O toc man/chyves.8 > build/chyves.8.html

install:	## put chyves below PREFIX (and DESTDIR); touches no dataset
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PYTHON='$(PYTHON)' setup/host install

deinstall:	## take away what install put there
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PYTHON='$(PYTHON)' setup/host deinstall

installrc:	## put the scripts there that start guests with the host and look at it every day
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PYTHON='$(PYTHON)' setup/host installrc

rcremove:	## take away those scripts
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PYTHON='$(PYTHON)' setup/host rcremove

clean:	## take away what the other targets made in this checkout
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find chyves tests demo bench fuzz -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/complete: setup.cfg setup/environment
	@PYTHON=$(PYTHON) setup/environment $(VENV)
