#!/usr/bin/env bash
# Install rpsd as a systemd service: a virtual environment under /opt/rpsd, /etc/rpsd, units.
# Usage: install.sh [--root DIR] WHEEL
# WHEEL is rpsd's own, from `pip wheel --no-deps .`; all else comes hash-checked by requirements.txt.
# With --root everything goes below DIR and systemd is left alone: for images and for trying it out.
set -euo pipefail
umask 022  # root's may be stricter, and the unit's user must read what is installed
here=$(cd "$(dirname "$0")" && pwd)

fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

root=
while [ $# -gt 0 ]; do
  case $1 in
    --root) [ $# -ge 2 ] || fail "--root takes a directory"; root=${2%/}; shift 2 ;;
    -*) fail "unknown option $1" ;;
    *) break ;;
  esac
done
[ $# = 1 ] || fail "usage: install.sh [--root DIR] WHEEL"
wheel=$1
[ -f "$wheel" ] || fail "no file $wheel"
[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "run as root, or with --root DIR"
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is older than Python 3.11"

# Beside the old one, then renamed: a service that starts meanwhile finds one or the other, whole.
base=$root/opt/rpsd
release=$base/releases/$(date -u +%Y%m%dT%H%M%SZ)
install -d -m 0755 "$base/releases"
"$python" -m venv "$release"
"$release/bin/pip" install -q --require-hashes --only-binary :all: -r "$here/requirements.txt"
"$release/bin/pip" install -q --no-deps --no-index "$wheel"
"$release/bin/rpsd" --version
ln -sfn "releases/$(basename "$release")" "$base/venv.new"
mv -T "$base/venv.new" "$base/venv"

install -d -m 0755 "$root/etc/rpsd" "$root/etc/systemd/system"
# What is there is kept: it has been edited, or opens the database.
[ -e "$root/etc/rpsd/config.yaml" ] || install -m 0644 "$here/config.yaml" "$root/etc/rpsd/config.yaml"
if [ ! -e "$root/etc/rpsd/state.key" ]; then
  (umask 077 && "$release/bin/rpsd" state new-key >"$root/etc/rpsd/state.key")
  echo "made $root/etc/rpsd/state.key: keep a copy elsewhere, no backup opens without it"
fi
install -m 0644 "$here"/systemd/*.service "$here"/systemd/*.socket "$here"/systemd/*.timer "$root/etc/systemd/system/"
install -d -m 0755 "$base/bin"
install -m 0755 "$here"/backup/*.sh "$base/bin/"

if [ -z "$root" ]; then
  systemctl daemon-reload
  echo "now: systemctl enable --now rpsd@8000.socket rpsd@8000.service rpsd-backup.timer"
fi
