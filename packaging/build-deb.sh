#!/usr/bin/env bash
# A Debian package from what cargo build --release made: build-deb.sh [OUTPUT-FOLDER [BINARY]]. Needs dpkg-deb only.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
output=${1:-$root/target/packages}
binary=${2:-${CARGO_TARGET_DIR:-$root/target}/release/danqing}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
architecture=$(dpkg --print-architecture)

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 755 "$stage"
"$root/packaging/stage.sh" "$stage/usr" "$binary"

cat > "$stage/usr/share/doc/danqing/copyright" <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: danqing

Files: *
Copyright: The Danqing contributors
License: MIT or Apache-2.0
 The full texts are beside this file: LICENSE-MIT and LICENSE-APACHE.
COPYRIGHT

# winit and wgpu open these at run time, so that no program can find them in the binary. A Wayland session needs
# libwayland-client0 and libxkbcommon0 alone; the X11 ones are small and make the package work in both.
depends="libc6 (>= 2.34), libgcc-s1, libvulkan1, libwayland-client0, libxkbcommon0, libxkbcommon-x11-0, libx11-6, libx11-xcb1, libxcursor1, libxi6, libxrandr2"
mkdir -p "$stage/DEBIAN"
cat > "$stage/DEBIAN/control" <<CONTROL
Package: danqing
Version: $version
Section: graphics
Priority: optional
Architecture: $architecture
Maintainer: The Danqing contributors <danqing@localhost.invalid>
Installed-Size: $(du -sk "$stage/usr" | cut -f 1)
Depends: $depends
Recommends: mesa-vulkan-drivers, xdg-desktop-portal
Description: painting studio for people who think in Chinese
 Write a sentence or a line of a poem in Chinese, and a model on this machine
 paints it; nothing leaves the computer.
 .
 丹青：写一句话或一句诗，由本机的模型画出来，一切都留在您的电脑里。
CONTROL
(cd "$stage" && find usr -type f -exec md5sum {} + | LC_ALL=C sort -k 2 > DEBIAN/md5sums)

mkdir -p "$output"
package="$output/danqing_${version}_${architecture}.deb"
dpkg-deb --root-owner-group --build "$stage" "$package" >/dev/null
echo "$package"
