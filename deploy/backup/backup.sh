#!/usr/bin/env bash
# Back up what rpsd keeps into DIR, copy it off-site, and remove what is old.
# Usage: backup.sh DIR
# From the environment: COPY_TO, a second directory, on another machine's disk; DAYS (30), RPSD (the program).
# Kept are all backups of the last 24 hours and the first of each day (UTC) for DAYS days.
set -euo pipefail
dir=${1:?usage: backup.sh DIR}
rpsd=${RPSD:-/opt/rpsd/venv/bin/rpsd}
days=${DAYS:-30}
copy_to=${COPY_TO:-}

prune() {
  local file stamp day age kept='' now
  now=$(date -u +%s)
  for file in "$1"/rpsd-????????T??????Z.backup; do # in the order of time, as the names are
    [ -e "$file" ] || continue
    stamp=$(basename "$file" .backup)
    stamp=${stamp#rpsd-}
    day=${stamp:0:8}
    age=$((now - $(date -u -d "$day ${stamp:9:2}:${stamp:11:2}:${stamp:13:2}" +%s)))
    if [ "$age" -gt 86400 ] && { [ "$day" = "$kept" ] || [ "$age" -gt $((days * 86400)) ]; }; then
      rm -f "$file" "${file%.backup}.head"
    fi
    kept=$day
  done
}

umask 077
name=rpsd-$(date -u +%Y%m%dT%H%M%SZ)
# It is read back before it is there under its name. The head of the audit log finds an older one put in its place.
"$rpsd" backup "$dir/$name.backup" >"$dir/$name.head.part"
mv "$dir/$name.head.part" "$dir/$name.head"
if [ -n "$copy_to" ]; then
  [ -d "$copy_to" ] || { echo "backup.sh: COPY_TO: no directory $copy_to: is it mounted?" >&2; exit 1; }
  for end in backup head; do
    cp "$dir/$name.$end" "$copy_to/$name.$end.part"
    sync "$copy_to/$name.$end.part"
    mv "$copy_to/$name.$end.part" "$copy_to/$name.$end"
  done
  "$rpsd" backup "$copy_to/$name.backup" --verify >/dev/null
  prune "$copy_to"
fi
prune "$dir"
