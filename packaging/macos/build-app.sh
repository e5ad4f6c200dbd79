#!/usr/bin/env bash
# Danqing.app from what cargo build --release made, on a Mac: build-app.sh [OUTPUT-FOLDER [BINARY]]. Uses sips, iconutil
# and codesign, which come with the command line tools.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
output=${1:-$root/target/packages}
binary=${2:-${CARGO_TARGET_DIR:-$root/target}/release/danqing}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
contents="$output/Danqing.app/Contents"

rm -rf "$output/Danqing.app"
mkdir -p "$contents/MacOS" "$contents/Resources"
cp "$binary" "$contents/MacOS/danqing"
sed "s/@VERSION@/$version/" "$root/packaging/macos/Info.plist" > "$contents/Info.plist"

# The program looks at ../share/danqing/models from where it lies; what is no code belongs to Resources.
cp -R "$root/models" "$contents/Resources/models"
rm -rf "$contents"/Resources/models/*/recipe "$contents"/Resources/models/*/contact-sheet.png
mkdir -p "$contents/share/danqing"
ln -s ../../Resources/models "$contents/share/danqing/models"

icons=$(mktemp -d)
trap 'rm -rf "$icons"' EXIT
mkdir "$icons/danqing.iconset"
for side in 16 32 128 256 512; do
  large="$root/packaging/icons/hicolor/512x512/apps/danqing.png"
  sips -z "$side" "$side" "$large" --out "$icons/danqing.iconset/icon_${side}x$side.png" >/dev/null
  double=$((side * 2))
  [ "$double" -gt 512 ] || sips -z "$double" "$double" "$large" \
    --out "$icons/danqing.iconset/icon_${side}x$side@2x.png" >/dev/null
done
iconutil -c icns -o "$contents/Resources/danqing.icns" "$icons/danqing.iconset"

# Signed for this machine; to hand it on, sign with a Developer ID and notarise.
codesign --force --deep --sign - "$output/Danqing.app"
echo "$output/Danqing.app"
