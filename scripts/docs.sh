#!/bin/sh
# Build the documentation into docs/_build/html; a warning is an error.
set -eu
. "$(dirname "$0")/lib.sh"
exec "$root/.venv/bin/python" -m sphinx -W --keep-going -q -b html "$root/docs" "$root/docs/_build/html" "$@"
