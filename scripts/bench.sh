#!/bin/sh
# Benchmarks of Perijove beside JupyterHub 6.1.1 in one run: scripts/bench.sh COMMAND [options] (benchmarks/README.md).
# Makes both environments when they are missing. Results go where --json says; keep published ones in benchmarks/results/.
set -eu
. "$(dirname "$0")/lib.sh"

missing=
for program in wrk curl gcc; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086
    apt_install $missing libc6-dev
fi
make_venv "$root/.venv"
install_lock "$root/.venv" "$root/requirements/quickstart.txt"
peer=$("$root/scripts/peer_venv.sh" 6.1.1)
proxy=$("$root/scripts/peer_venv.sh" --proxy)
bench=$cache/bench-venv
make_venv "$bench"
"$bench/bin/python" -m pip install -q --disable-pip-version-check -r "$root/benchmarks/requirements.txt"

PATH=$(dirname "$proxy"):$PATH
[ ! -d "$cache/peers/node/bin" ] || PATH=$cache/peers/node/bin:$PATH
export PATH
PEER_CMD=${PEER_CMD:-$peer/bin/jupyterhub}
HUB_CMD=${HUB_CMD:-$root/.venv/bin/perijove}
export PEER_CMD HUB_CMD
cd "$root/benchmarks"
exec "$bench/bin/python" bench.py "$@"
