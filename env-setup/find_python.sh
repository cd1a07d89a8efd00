#!/usr/bin/env bash
# Prints a python of one version, from PATH or from pyenv: env-setup/find_python.sh 3.13
set -euo pipefail
for candidate in "python$1" python3 "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python3; do
    # Run, since a version manager's stand-in may be on PATH without a Python behind it.
    if [[ $("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) == "$1" ]]; then
        command -v "$candidate"
        exit
    fi
done
echo "No Python $1 is on PATH or among pyenv's versions." >&2
exit 1
