#!/usr/bin/env bash
# Restore the newest backup of DIR beside the service, start a service over it, check it, and say what it took.
# Usage: restore-drill.sh DIR [PORT]
# The state key comes as for `rpsd restore` (RPSD_STATE_KEY_FILE); RPSD is the program. Nothing in use is touched.
set -euo pipefail
dir=${1:?usage: restore-drill.sh DIR [PORT]}
port=${2:-8999}
rpsd=${RPSD:-/opt/rpsd/venv/bin/rpsd}

newest=
for file in "$dir"/rpsd-????????T??????Z.backup; do newest=$file; done
[ -f "$newest" ] || { echo "restore-drill.sh: no backup in $dir" >&2; exit 1; }
stamp=$(basename "$newest" .backup)
stamp=${stamp#rpsd-}
made=$(date -u -d "${stamp:0:8} ${stamp:9:2}:${stamp:11:2}:${stamp:13:2}" +%s)

work=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap finish EXIT
# Above every file of the configuration, so that the drill cannot reach the database in use.
export RPSD_STATE_DIR=$work RPSD_STATE_URL=sqlite:///$work/drill.db RPSD_CACHE_DIR=$work RPSD_DATA_DIR=$work

begin=$(date +%s)
age=$((begin - made))
"$rpsd" restore "$newest" >"$work/head"
if [ -f "${newest%.backup}.head" ]; then
  "$rpsd" audit-log verify --head "$(cat "${newest%.backup}.head")" >/dev/null
fi
"$rpsd" serve --host 127.0.0.1 --metrics-port "$port" 2>"$work/log" &
server=$!
until "$rpsd" healthcheck "http://127.0.0.1:$port" >/dev/null 2>&1; do
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  [ $(($(date +%s) - begin)) -lt 600 ] || { echo "restore-drill.sh: not ready after 600 s" >&2; exit 1; }
  sleep 1
done
"$rpsd" smoke "http://127.0.0.1:$port" --timeout 60 >"$work/smoke" || { cat "$work/smoke" >&2; exit 1; }
echo "restored $(basename "$newest"): $(stat -c %s "$newest") bytes, made ${age} s before, serving after $(($(date +%s) - begin)) s"
