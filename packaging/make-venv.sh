#!/usr/bin/env bash
# make-venv.sh DIRECTORY PYTHON: a virtual environment with the locked packages and this checkout in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$1
python=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    found=$("$python" --version 2>&1 || echo "no $python")
    echo "setup: Python 3.11 or newer is needed and this is $found." >&2
    echo "    Name another one: make setup PYTHON=/usr/bin/python3.11" >&2
    exit 1
fi
# An environment whose interpreter is gone (an upgraded system) is made anew.
"$venv/bin/python" -c '' 2>/dev/null || "$python" -m venv --clear "$venv"

install=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
"${install[@]}" --require-hashes --requirement packaging/requirements.lock
# The lock holds the build back end too, so this step downloads nothing.
"${install[@]}" --no-deps --no-build-isolation --editable .
