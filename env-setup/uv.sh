#!/usr/bin/env bash
# Runs uv: env-setup/uv.sh ENVIRONMENT ARGUMENT...
#
# Takes the uv on PATH, else the one in .venv or in ENVIRONMENT. Without either, pip first installs the pinned uv
# into ENVIRONMENT. pip's index and certificates hold for uv too, where uv has no settings of its own.
set -euo pipefail

environment=$1
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Asked for its version, since a version manager's stand-in for uv may be on PATH without one behind it.
find_uv() {
    local candidate
    for candidate in uv "$here/../.venv/bin/uv" "$environment/bin/uv"; do
        "$candidate" --version >/dev/null 2>&1 && echo "$candidate" && return
    done
    return 1
}

if ! uv=$(find_uv); then
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r "$here/pip_requirements_uv.txt"
    uv=$environment/bin/uv
fi

index=${PIP_INDEX_URL:-$("$environment/bin/python" -m pip config get global.index-url 2>/dev/null || true)}
if [[ -n $index && -z ${UV_INDEX_URL:-}${UV_DEFAULT_INDEX:-} ]]; then
    export UV_DEFAULT_INDEX=$index
fi
if [[ -n ${PIP_CERT:-} && -z ${SSL_CERT_FILE:-} ]]; then
    export SSL_CERT_FILE=$PIP_CERT
fi

"$uv" "$@" || {
    status=$?
    echo "uv failed. To install by pip instead: make PIP=pip TARGET" >&2
    exit "$status"
}
