# What there is to do here. A newcomer needs two: make run, make test.
ADDRESS ?= 127.0.0.1:8000
WORKERS ?= 2
PYTHON ?= python3
BIN := .venv/bin

# More threads than may wait in the gate (4 + 32, screening/web/middleware/load_shedding.py) or for bodies (64, screening/web/middleware/request_buffering.py): one is
# free to refuse. granian warns of so many, hence --log-level error; the site's own warnings are not granian's. 900
# connections a worker fit among the 1,024 files a process may open. A connection on which no request is begun and headed
# within 5 s is closed. A header may have 256 kB: the 50 cookies of 4 kB that browsers keep. A worker that is told to end
# while it is still starting misses that: it is killed after 15 s.
FLAGS := --interface wsgi --http 1 --no-ws --blocking-threads 128 --backpressure 900 --backlog 4096 --http1-header-read-timeout 5000 --http1-buffer-size 262144 --workers-kill-timeout 15 --log-level error
SERVE := $(BIN)/granian $(FLAGS) --workers $(WORKERS)

# The shell becomes the server, and the worker ends with its parent: however the server ends, both do.
define SERVE_AND_WORK
umask 077; $(BIN)/flask worker --parent-pid $$$$ & \
exec $(SERVE) --host $(firstword $(subst :, ,$(ADDRESS))) --port $(lastword $(subst :, ,$(ADDRESS))) wsgi:app
endef

.DELETE_ON_ERROR:
.PHONY: help run demo test test-long bench screenshots css translations requirements clean

help:
	@echo "make run           set up, serve the site on http://$(ADDRESS), on SQLite, and start its worker"
	@echo "make demo          the same with a demo clinic's data in instance/demo, made anew each time"
	@echo "make test          set up and pass every test (what is missing of the system is installed where root)"
	@echo "make test-long     the long tests"
	@echo "make bench         measure everything beside its peers (BENCH='journeys' measures one part, BENCH=--quick tries it)"
	@echo "make screenshots   take the screenshots of the README anew"
	@echo "make css           build static/dist from static/src (needs Node.js)"
	@echo "make translations  collect the texts to translate, and compile the translations"
	@echo "make requirements  pin the packages anew, and list their licenses in THIRD-PARTY-NOTICES"
	@echo "make clean         remove .venv; data and keys in instance/ stay"

run: .venv/run.done
	@umask 077 && $(BIN)/flask keys init && $(BIN)/flask db upgrade && $(BIN)/flask keys publish >/dev/null
	@echo "The check is on http://$(ADDRESS)  (Ctrl+C ends it)"
	@$(SERVE_AND_WORK)

demo: export SCREENING_KEYS_DIR = instance/demo/keys
demo: export SCREENING_DATABASE_URL = sqlite:///$(CURDIR)/instance/demo/site.sqlite
demo: export SCREENING_MAIL_HOST =
demo: .venv/run.done
	@rm -rf instance/demo && mkdir -p -m 700 instance/demo
	@umask 077 && $(BIN)/flask keys init 2>/dev/null && $(BIN)/flask db upgrade && $(BIN)/flask demo
	@echo "The check is on http://$(ADDRESS), the staff's side on http://$(ADDRESS)/staff  (Ctrl+C ends it)"
	@$(SERVE_AND_WORK)

test: .venv/test.done
	@tests/support/system.sh chromium postgresql nginx systemd
	@$(BIN)/python -m tests.support.suite

test-long: .venv/test-long.done
	@tests/support/system.sh chromium firefox postgresql nginx redis systemd
	$(BIN)/pytest tests/long

bench: .venv/test-long.done
	@tests/support/system.sh postgresql sqlite3
	$(BIN)/python -m tests.bench $(BENCH)

screenshots: .venv/test.done
	@tests/support/system.sh chromium
	$(BIN)/python -m tests.support.screenshots

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
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/test.done: requirements-test.txt .venv/run.done
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.txt
	@touch $@

.venv/test-long.done: requirements-test-long.txt .venv/test.done
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test-long.txt
	@touch $@
