#!/bin/sh
# Build the virtual environment that real Nova runs in. Apart from the project's own: Nova pins much of what it needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv="${NOVASIM_NOVA_VENV:-$here/../../.venv-nova}"
stamp="$venv/.complete"
[ -e "$stamp" ] && exit 0
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" -c "$here/constraints.txt"
touch "$stamp"
