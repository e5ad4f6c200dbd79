#!/usr/bin/env bash
# An archive that runs wherever it is unpacked: build-tarball.sh [OUTPUT-FOLDER [BINARY]]. The program finds its models
# at ../share/danqing/models.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
output=${1:-$root/target/packages}
binary=${2:-${CARGO_TARGET_DIR:-$root/target}/release/danqing}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
name="danqing-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
"$root/packaging/stage.sh" "$stage/$name" "$binary"
mkdir -p "$output"
# The same content gives the same archive.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@"${SOURCE_DATE_EPOCH:-0}" \
  -C "$stage" -cf - "$name" | gzip -n -9 > "$output/$name.tar.gz"
echo "$output/$name.tar.gz"
