#!/usr/bin/env bash
# Pins every environment from its *.in file: `make lock`. The arguments are the command that runs uv.
set -euo pipefail
uv=("$@")
cd "$(dirname "${BASH_SOURCE[0]}")"
export UV_CUSTOM_COMPILE_COMMAND="make lock"
pin() { "${uv[@]}" pip compile --quiet --no-annotate "$@"; }

pin --universal --python-version 3.11 --generate-hashes requirements.in -o pip_requirements.txt
pin --universal --python-version 3.11 --generate-hashes -c pip_requirements.txt requirements-dev.in -o pip_requirements_dev.txt
pin --universal --python-version 3.11 --generate-hashes requirements-sam.in -o pip_requirements_sam.txt
pin --universal --python-version 3.11 --generate-hashes requirements-awscli.in -o pip_requirements_awscli.txt
pin --universal --python-version 3.13 --generate-hashes requirements-ministack.in -o pip_requirements_ministack.txt
pin --universal --python-version 3.11 --generate-hashes requirements-spark.in -o pip_requirements_spark.txt
pin --universal --python-version 3.11 --generate-hashes requirements-uv.in -o pip_requirements_uv.txt
# What the function ships, as a zip and as an image: for Lambda's Python and platform, without what Lambda's runtime
# brings itself. A model is served by the version of its library that publishes it.
pin_function() {
    pin --python-version 3.13 --python-platform linux --no-emit-package boto3 --no-emit-package botocore \
      --no-emit-package s3transfer --no-emit-package jmespath --no-emit-package urllib3 "$@"
}
pin_function -c pip_requirements.txt requirements-function.in -o ../functions/predict/requirements.txt
pin_function -c pip_requirements.txt requirements-operate.in -o ../functions/operate/requirements.txt
pin_function -c pip_requirements.txt requirements-files.in -o ../functions/operate/requirements-files.txt
pin_function -c pip_requirements_dev.txt --generate-hashes requirements-image.in \
  -o ../functions/predict/requirements-image.txt
