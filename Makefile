# make demo    environment, then out/grace_hopper.mp4: a photo says a sentence
# make test    environment, then the tests
# make check   tests, lint and types, as .ci/run does
# make bench   speed, memory and the table of metrics; MEDIA=folder takes portraits and drivings from there
# PYTHON=/path/to/python chooses another interpreter (3.11 or 3.12).

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PYTHON := python3.11 python3.12 python3 python
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))

.PHONY: demo test lint check bench clean

demo: $(INSTALLED)
	$(BIN)/portrayal demo --output out/grace_hopper.mp4 --sheet out/grace_hopper.jpg --overwrite

test: $(INSTALLED)
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy

check: test lint

bench: $(INSTALLED)
	$(BIN)/python benchmarks/speed.py $(MEDIA)
	$(BIN)/python benchmarks/pairs.py $(MEDIA)

clean:
	rm -rf $(VENV) out

# Made anew only when what is to be installed changes.
$(INSTALLED): pyproject.toml constraints.txt
	@$(BIN)/python -c '$(SUITABLE)' 2>/dev/null || for python in $(PYTHON); do \
	    if "$$python" -c '$(SUITABLE)' 2>/dev/null; then \
	        echo "$$python -m venv $(VENV)"; "$$python" -m venv --clear $(VENV); break; \
	    fi; \
	done
	@$(BIN)/python -c '$(SUITABLE)' 2>/dev/null || { \
	    echo "error: Portrayal needs Python 3.11 or 3.12 with venv: install it (Debian, Ubuntu:" \
	        "apt-get install python3-venv) or name one, make PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	}
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	    echo "no libGL here: OpenCV without windows takes the place of OpenCV"; \
	    $(BIN)/python -m pip uninstall --quiet --yes opencv-contrib-python; \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	        --force-reinstall --no-deps opencv-contrib-python-headless; \
	}
	$(BIN)/python -c 'import cv2'
	@touch $@
