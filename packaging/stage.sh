#!/usr/bin/env bash
# Lays the program out below PREFIX as Linux has it: stage.sh PREFIX BINARY. The other scripts pack what comes of it.
set -euo pipefail
prefix=$1
binary=$2
root=$(cd "$(dirname "$0")/.." && pwd)

[ -f "$binary" ] || { echo "no program at $binary: run cargo build --release first" >&2; exit 1; }
install -Dm755 "$binary" "$prefix/bin/danqing"
install -Dm644 "$root/packaging/danqing.desktop" "$prefix/share/applications/danqing.desktop"
install -Dm644 "$root/packaging/io.github.danqing.Danqing.metainfo.xml" \
  "$prefix/share/metainfo/io.github.danqing.Danqing.metainfo.xml"
(cd "$root/packaging/icons" && find hicolor -type f) | while read -r icon; do
  install -Dm644 "$root/packaging/icons/$icon" "$prefix/share/icons/$icon"
done
# The models without what they were made from.
(cd "$root/models" && find . -type f -not -path './*/recipe/*' -not -name 'contact-sheet.png') | while read -r file; do
  install -Dm644 "$root/models/$file" "$prefix/share/danqing/models/$file"
done
for licence in MIT APACHE; do
  install -Dm644 "$root/LICENSE-$licence" "$prefix/share/doc/danqing/LICENSE-$licence"
done
