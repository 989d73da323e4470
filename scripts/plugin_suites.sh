#!/bin/sh
# Run the test suites that plug-ins ship against Perijove, and compare them with JupyterHub 6.1.1.
#
#   scripts/plugin_suites.sh                       all suites, about ten minutes
#   scripts/plugin_suites.sh --quick               those that CI runs
#   scripts/plugin_suites.sh --only moss,yarnspawner
#   scripts/plugin_suites.sh --report              all, and write what docs/reference/plugin-status.md shows
#
# The environment that they run in is made in .cache/plugin-suites: jupyterhub 6.1.1, which plug-ins require, JupyterLab,
# and this checkout. Sdists come from PyPI. The suite idle-culler uses the ports 8000, 8001 and 8081.
# Exit status 1 when a test is worse than with JupyterHub and tests/plugins/reasons.json does not say why.
set -eu
. "$(dirname "$0")/lib.sh"

QUICK=oauthenticator,tmpauthenticator,traefik-proxy,jupyter-server-proxy,moss,samlauthenticator,jupyterhub-ssh-keys
folder=$cache/plugin-suites
venv=$folder/env
results=$folder/results.json
write_report=

case ${1:-} in
--quick)
    shift
    set -- --only "$QUICK" "$@"
    ;;
--report)
    shift
    write_report=1
    ;;
-h | --help)
    sed -n '2,12s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

make_venv "$venv"
install_lock "$venv" "$root/requirements/hub.txt"
if [ ! -e "$venv/.peer" ]; then
    say "installing jupyterhub 6.1.1 and JupyterLab into $venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check jupyterhub==6.1.1 jupyterlab notebook
    touch "$venv/.peer"
fi
# Perijove brings its own proxy; suites only look whether there is a program of this name.
mkdir -p "$folder/bin"
printf '#!/bin/sh\nexit 1\n' >"$folder/bin/configurable-http-proxy"
chmod +x "$folder/bin/configurable-http-proxy"

# Outside of the checkout, whose pytest settings would else be found.
work=$(mktemp -d "${TMPDIR:-/tmp}/perijove-plugin-suites.XXXXXX")
rm -f "$results"
"$venv/bin/python" "$root/tests/plugins/suites/run_suites.py" --python "$venv/bin/python" \
    -p perijove_alias --pth-alias perijove_alias --hub-cmd "python -m perijove" \
    --work "$work" --cache "$folder/sdists" --path "$folder/bin:$PATH" --json "$results" "$@" || true
[ -e "$results" ] || die "the suites did not run; see $work"
"$venv/bin/python" "$root/scripts/plugin_status.py" "$results" ${write_report:+--write} || die "logs are in $work"
rm -rf "$work"
