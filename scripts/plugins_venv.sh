#!/bin/sh
# The environment of tests/engines: Perijove (this checkout) with other people's plug-ins and the
# JupyterHub distribution that they require, at the versions of requirements/plugins.txt.
#
#   scripts/plugins_venv.sh            -> .cache/plugins
#
# Debian's Python is preferred: engines start servers for other system users, who may not be able to
# reach an interpreter in somebody's home. Prints the path on success.
set -eu
. "$(dirname "$0")/lib.sh"

dir=$cache/plugins
if [ -z "${PYTHON:-}" ] && /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    PYTHON=/usr/bin/python3
fi
make_venv "$dir" >&2
install_lock "$dir" "$root/requirements/plugins.txt"
echo "$dir"
