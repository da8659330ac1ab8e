# Development tasks; see "make help". The first two to know are make run and make test.
ADDRESS ?= 127.0.0.1:8000
WORKERS ?= 2
PYTHON ?= python3
BIN := .venv/bin
DEMO := instance/demo/$(lastword $(subst :, ,$(ADDRESS)))

SERVE := umask 077; exec $(BIN)/flask serve --with-worker --workers $(WORKERS) $(ADDRESS)

.DELETE_ON_ERROR:
.PHONY: help run demo test test-long bench screenshots spoken screen-reader css translations requirements clean

help:
	@echo "make run           set up and serve the site with its worker on http://$(ADDRESS), with SQLite"
	@echo "make demo          the same with demo data, created anew each time, in a folder for each port"
	@echo "make test          set up and run all tests and linters (as root, installs missing system packages)"
	@echo "make test-long     run the long tests"
	@echo "make bench         run the benchmarks (BENCH='journeys' runs one part, BENCH=--quick a short version)"
	@echo "make screenshots   take the screenshots of the handbook again"
	@echo "make spoken        record again what a screen reader says, to review as a diff"
	@echo "make screen-reader copy the screen reader of the tests from its pinned package (needs Node.js)"
	@echo "make css           build static/dist from static/src (needs Node.js)"
	@echo "make translations  extract the texts to translate, and compile the translations"
	@echo "make requirements  pin the packages anew, and list their licenses in THIRD-PARTY-NOTICES"
	@echo "make clean         remove .venv; instance/ with data and keys is left alone"

run: .venv/run.done
	@umask 077; $(BIN)/flask serve --check $(ADDRESS) && $(BIN)/flask keys init && $(BIN)/flask db upgrade && \
	  $(BIN)/flask keys publish >/dev/null
	@echo 'Staff sign in at /staff/ of the address below. To make the first account, type in another terminal:' >&2
	@echo '  $(BIN)/flask staff add you@clinic.example --name "Your name" --role admin --role callbacks' >&2
	@$(SERVE)

demo: export SCREENING_KEYS_DIR = $(DEMO)/keys
demo: export SCREENING_DATABASE_URL = sqlite:///$(CURDIR)/$(DEMO)/site.sqlite
demo: export SCREENING_MAIL_HOST =
demo: .venv/run.done
	@umask 077; $(BIN)/flask serve --check $(ADDRESS) && rm -rf $(DEMO) && mkdir -p $(DEMO) && \
	  $(BIN)/flask keys init 2>/dev/null && $(BIN)/flask db upgrade && $(BIN)/flask demo
	@$(SERVE)

test: .venv/test.done
	@tests/support/system.sh chromium postgresql nginx systemd
	@$(BIN)/python -m tests.support.suite

test-long: .venv/test-long.done
	@tests/support/system.sh chromium firefox postgresql nginx redis systemd containers statistics
	$(BIN)/pytest tests/long

bench: .venv/test-long.done
	@tests/support/system.sh postgresql sqlite3
	$(BIN)/python -m tests.bench $(BENCH)

screenshots: .venv/test.done
	@tests/support/system.sh chromium
	$(BIN)/python -m tests.support.screenshots

spoken: .venv/test.done
	@tests/support/system.sh chromium
	SPOKEN=record $(BIN)/python -m pytest -q -n 2 tests/journeys/test_screen_reader.py
	git status --short tests/journeys/spoken

screen-reader:
	cd tests/support/virtual_screen_reader && npm ci --ignore-scripts && \
	cp node_modules/@guidepup/virtual-screen-reader/lib/esm/index.browser.js . && \
	(cd node_modules && find . -iname 'license*' | sort | xargs tail -n +1) > LICENSES && rm -rf node_modules

css:
	cd static/src && npm ci --ignore-scripts && npm run build

translations: .venv/test.done
	$(BIN)/pybabel -q extract -F pyproject.toml -k lazy_gettext --no-location --omit-header --sort-output -o screening/i18n/translations/messages.pot .
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-pot-creation-date -i screening/i18n/translations/messages.pot -d screening/i18n/translations
	$(BIN)/pybabel compile -d screening/i18n/translations

requirements: .venv/test.done
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make requirements" setup.cfg -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make requirements" --extra test --allow-unsafe -c requirements.txt setup.cfg -o requirements-test.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make requirements" --extra test --extra test-long --allow-unsafe -c requirements-test.txt setup.cfg -o requirements-test-long.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m tests.support.third_party_notices

clean:
	rm -rf .venv

.venv/run.done: requirements.txt
	@PYTHON=$(PYTHON) tests/support/system.sh python
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing packages into .venv; this takes about a minute"
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/test.done: requirements-test.txt .venv/run.done
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.txt
	@touch $@

.venv/test-long.done: requirements-test-long.txt .venv/test.done
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test-long.txt
	@touch $@
