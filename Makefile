# `make demo` and `make test` do all the set-up by themselves; a second call starts at once.
.PHONY: demo test test-quick check docs setup setup-gui clean fuzz

demo: setup
	.venv/bin/napari-tcgn demo --out demo_output --overwrite

test: setup setup-gui
	.venv/bin/pytest -n 2 --dist loadfile

# No window, nothing slow: what to run after each change.
test-quick: setup
	.venv/bin/pytest -n 2 --dist loadfile -m "not slow" --ignore tests/ui

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/npe2 validate napari-tcgn --imports

# Damaged and hostile copies of small real files; `make test` tries 40 of each kind.
fuzz: setup
	NAPARI_TCGN_MUTATIONS=1000 .venv/bin/python -m pytest -q tests/test_mutated_files.py tests/exports/test_hostile_names.py

docs: setup
	.venv/bin/pip install -q --disable-pip-version-check -c constraints.txt -e .[docs]
	.venv/bin/sphinx-build -W --keep-going -b html docs docs/_build/html

setup:
	@scripts/setup.sh

setup-gui:
	@scripts/setup_gui.sh

clean:
	rm -rf .venv dist build demo_output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache docs/_build docs/api/generated
