#!/bin/sh
# Build what comparisons and the real-server tests need from JupyterHub. Perijove itself needs none of it.
#
#   scripts/peer_venv.sh 6.1.1            -> .cache/peers/jupyterhub-6.1.1/bin/jupyterhub-singleuser
#   scripts/peer_venv.sh 5.5.1 /some/dir  -> /some/dir/bin/...
#   scripts/peer_venv.sh --proxy          -> .cache/peers/node_modules/.bin/configurable-http-proxy
#
# A finished environment is left alone; delete its folder to build it again. Prints the path on success.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
peers=$root/.cache/peers
python=${PYTHON:-python3}

if [ $# -lt 1 ]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi

if [ "$1" = --proxy ]; then
    command=$peers/node_modules/.bin/configurable-http-proxy
    if [ ! -x "$command" ]; then
        mkdir -p "$peers"
        npm install --silent --no-fund --no-audit --prefix "$peers" configurable-http-proxy@5.3.0 >&2
    fi
    echo "$command"
    exit 0
fi

version=$1
dir=${2:-$peers/jupyterhub-$version}
if [ ! -e "$dir/.ready-$version" ]; then
    rm -rf "$dir"
    "$python" -m venv "$dir"
    "$dir/bin/python" -m pip install -qq --disable-pip-version-check \
        "jupyterhub==$version" jupyterlab ipykernel >&2
    touch "$dir/.ready-$version"
fi
echo "$dir"
