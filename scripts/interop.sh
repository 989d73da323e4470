#!/bin/sh
# Either proxy under either hub: the conformance suite's proxy area with
#   JupyterHub 6.1.1 on `perijove proxy`, and Perijove on configurable-http-proxy 5.3.0.
#
#   scripts/interop.sh               both
#   scripts/interop.sh -k websocket  anything goes on to pytest
#
# Ports: CONF_PORT_FIRST to CONF_PORT_LAST (tests/conformance/README.md).
set -eu
. "$(dirname "$0")/lib.sh"

peer=$("$root/scripts/peer_venv.sh" 6.1.1)
node_proxy=$("$root/scripts/peer_venv.sh" --proxy)
[ ! -d "$cache/peers/node/bin" ] || PATH=$cache/peers/node/bin:$PATH
CONF_WORKERS=${CONF_WORKERS:-1}
export PATH CONF_WORKERS

status=0
say "JupyterHub on perijove proxy"
HUB_CMD="$peer/bin/jupyterhub --ConfigurableHTTPProxy.command=\"['$root/.venv/bin/perijove','proxy']\"" \
    "$root/scripts/conformance.sh" --no-ratchet test_07_proxy.py "$@" || status=1
say "Perijove on configurable-http-proxy"
HUB_CMD="$root/.venv/bin/perijove --ConfigurableHTTPProxy.command=$node_proxy" \
    "$root/scripts/conformance.sh" --no-ratchet test_07_proxy.py "$@" || status=1
exit $status
