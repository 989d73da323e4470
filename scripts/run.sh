#!/bin/sh
# `make run`: the hub on http://127.0.0.1:8000 with the quick-start configuration.
# Installs what it needs into .venv. Ctrl-C stops the hub and the servers it started.
set -eu
. "$(dirname "$0")/lib.sh"

make_venv "$root/.venv"
install_lock "$root/.venv" "$root/requirements/quickstart.txt"

cd "$root/examples/quickstart"
passwords=$("$root/.venv/bin/python" passwords.py)
cat >&2 <<TXT

  Go to            http://127.0.0.1:8000
  Sign in with     any name of small letters, password  $(echo "$passwords" | sed -n 's/^user //p')
  Administrator    name "admin", password  $(echo "$passwords" | sed -n 's/^admin //p')
  Files, database  examples/quickstart/data/
  Stop             Ctrl-C

TXT
exec "$root/.venv/bin/perijove" -f "$root/examples/quickstart/jupyterhub_config.py" "$@"
