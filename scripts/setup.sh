#!/usr/bin/env bash
# Make the virtual environment .venv and install everything into it; a second call finds nothing to do.
#   PYTHON=python3.12 scripts/setup.sh     takes this interpreter instead of looking for one; a .venv of another version
#                                          is made anew
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if fits "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    say "Python 3.11 to 3.14 was not found${PYTHON:+ ($PYTHON is none of them)}." \
        "Install one, or name it: make PYTHON=/path/to/python3.12"
    exit 1
}

make_venv() {
    local python
    python=$(find_python)
    say "Making .venv with $("$python" --version) …"
    "$python" -m venv .venv >/dev/null 2>&1 && return
    # Debian and Ubuntu keep the venv module in a package of its own.
    rm -rf .venv
    local version
    version=$(version_of "$python")
    scripts/apt_install.sh "python$version-venv" "for the virtual environment" || true
    "$python" -m venv .venv || {
        say "The virtual environment cannot be made: install the venv module of Python $version" \
            "(Debian, Ubuntu: apt-get install python$version-venv)."
        rm -rf .venv
        exit 1
    }
}

# On Linux the package index holds the CUDA build of torch: gigabytes of no use without an NVIDIA GPU.
# Whoever has set an index of their own keeps it.
cpu_torch_option() {
    [ "$(uname -s)" = Linux ] || return 0
    command -v nvidia-smi >/dev/null 2>&1 && return 0
    # Not through a pipe: grep would end at its first find, and pip then counts as failed.
    local configured
    configured=$(.venv/bin/pip config list 2>/dev/null || true)
    grep -Eq 'index-url|no-index' <<<"$configured" && return 0
    printf '%s' "--extra-index-url https://download.pytorch.org/whl/cpu"
}

install() {
    say "Installing the dependencies into .venv (some minutes the first time, about 3 GB) …"
    # shellcheck disable=SC2046  # the option is two words or none
    { .venv/bin/pip install -q --disable-pip-version-check $(cpu_torch_option) -r requirements-dev.txt 2>&1 \
        || { say "pip failed; its last lines say why. Fix it and run the same command again."; exit 1; } } \
        | { grep -vE "^WARNING: (Location|Cache entry)" >&2 || true; }
}

# An interpreter that is named counts, also where there is a .venv already: each version has its own stack (constraints.txt).
leave_another_version() {
    [ -n "${PYTHON:-}" ] && [ -d .venv ] || return 0
    local python named there
    python=$(find_python)
    named=$(version_of "$python")
    there=$(version_of .venv/bin/python 2>/dev/null || true)
    [ "$there" = "$named" ] && return
    say "The .venv here is of Python ${there:-unknown}; it is made anew with Python $named."
    rm -rf .venv
}

leave_another_version
wanted=$(cat pyproject.toml constraints.txt requirements-dev.txt | cksum)
stamp=.venv/.installed
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
[ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || make_venv
rm -f "$stamp"
install
printf '%s' "$wanted" >"$stamp"
say "Ready: .venv ($(du -sh .venv 2>/dev/null | cut -f1))."
