#!/usr/bin/env bash
# Builds SAM's base image for python3.13 from Debian packages, for machines that cannot pull AWS's image.
#
#   sudo env-setup/lambda-base-image/build.sh [--force]
#
# Needs root, a running Docker daemon, debootstrap, and python3 with pip. Does nothing where the image is
# there already, whether AWS's own or an up-to-date one of ours. README.md beside this file says what differs
# from AWS's image. Environment: DEBIAN_MIRROR (else debootstrap's own choice), DEBIAN_SUITE, PYTHON (the python3
# whose pip fetches the wheels).
set -euo pipefail

readonly runtime_version=3.13
readonly label=com.peerloan.lambda-base-image
readonly suite=${DEBIAN_SUITE:-trixie}
readonly python=${PYTHON:-python3}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pins=$here/../pip_requirements.txt

# What AWS's image keeps in /var/runtime: the runtime interface client, boto3, and what the two need.
readonly runtime_packages='awslambdaric|boto3|botocore|jmespath|python-dateutil|s3transfer|simplejson|six|snapshot-restore-py|urllib3'

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

# Print the pins of the runtime's packages with their hashes, as pip_requirements.txt has them.
runtime_requirements() {
    awk -v names="^(${runtime_packages})==" '/^[^ #]/ { wanted = $0 ~ names } wanted' "$pins"
}

case $(uname -m) in
    x86_64) arch=x86_64 wheel_arch=x86_64 platform=linux/amd64 ;;
    aarch64 | arm64) arch=arm64 wheel_arch=aarch64 platform=linux/arm64 ;;
    *) fail "no Lambda architecture is called $(uname -m)" ;;
esac
# The very name that SAM CLI looks for.
readonly image=public.ecr.aws/lambda/python:$runtime_version-$arch

force=
[[ ${1:-} == --force ]] && force=1

docker info >/dev/null 2>&1 || fail "the Docker daemon does not answer; start it first"
requirements=$(runtime_requirements)
recipe=$({ cat "$here/build.sh" "$here/bootstrap" "$here/lambda-entrypoint.sh"; echo "$suite $requirements"; } | sha256sum | cut -d' ' -f1)

if [[ -z $force ]] && built=$(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$image" 2>/dev/null); then
    case $built in
        "$recipe") echo "$image is up to date" && exit 0 ;;
        "" | "<no value>") echo "$image is there and is not ours: left alone" && exit 0 ;;
        *) echo "$image was built by another recipe: building it again" ;;
    esac
fi

[[ $(id -u) == 0 ]] || fail "debootstrap needs root: run this with sudo"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
"$python" -m pip --version >/dev/null 2>&1 || fail "$python has no pip; name one that has: PYTHON=.venv/bin/python"

work=$(mktemp -d "${TMPDIR:-/tmp}/lambda-base-image.XXXXXX")
# --one-file-system: an interrupted debootstrap may leave /proc mounted in there.
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root

echo "Debian $suite into $root"
debootstrap --variant=minbase --include=python3,ca-certificates "$suite" "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log" >&2; fail "debootstrap failed"; }
chroot "$root" python3 -c "import sys; sys.exit(sys.version_info[:2] != (3, ${runtime_version#*.}))" ||
    fail "Debian $suite's python3 is not Python $runtime_version"

echo "The runtime's Python packages into /var/runtime"
printf '%s\n' "$requirements" >"$work/requirements.txt"
"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --require-hashes --only-binary=:all: --no-compile \
    --platform "manylinux2014_$wheel_arch" --platform "manylinux_2_17_$wheel_arch" --platform "manylinux_2_28_$wheel_arch" \
    --implementation cp --python-version "$runtime_version" --target "$root/var/runtime" -r "$work/requirements.txt"
rm -rf "$root/var/runtime/bin"
install -m 755 "$here/bootstrap" "$root/var/runtime/bootstrap"
install -m 755 "$here/lambda-entrypoint.sh" "$root/lambda-entrypoint.sh"
chroot "$root" python3 -m compileall -q /var/runtime || fail "the runtime's packages do not compile"
mkdir -p "$root/var/task" "$root/var/rapid" "$root/opt"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info} "$root"/var/log/*.log

echo "Importing $image"
tar --directory "$root" --numeric-owner --one-file-system --create . | docker import \
    --platform "$platform" \
    --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=en_US.UTF-8 TZ=:UTC LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime' \
    --change 'WORKDIR /var/task' \
    --change 'ENTRYPOINT ["/lambda-entrypoint.sh"]' \
    --change "LABEL $label=$recipe" \
    --message "Debian $suite with Python $runtime_version and the Lambda runtime interface client" \
    - "$image" >/dev/null
docker image inspect --format "$image: {{.Size}} bytes" "$image"
