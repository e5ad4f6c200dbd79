#!/usr/bin/env bash
# The real window on a virtual display: it opens, paints something, and is idle when nobody does anything.
#   tests/window/smoke.sh [PROGRAM] [SCREENSHOT.png]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
program=${1:-${CARGO_TARGET_DIR:-$root/target}/debug/danqing}
home=$(mktemp -d)
shot=${2:-$home/shot.png}
export HOME="$home" XDG_RUNTIME_DIR="$home/run" LANG=zh_CN.UTF-8
# The build may lie elsewhere than beside the models.
export DANQING_MODELS="${DANQING_MODELS:-$root/models}"
unset WAYLAND_DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
mkdir -p "$XDG_RUNTIME_DIR" && chmod 700 "$XDG_RUNTIME_DIR"
exec 3< <(exec Xvfb -displayfd 1 -screen 0 1440x900x24 -noreset 2>/dev/null)
xvfb=$!
read -r -u 3 number
export DISPLAY=":$number"
"$program" 2>"$home/log" &
app=$!
trap 'kill $app $xvfb 2>/dev/null || true; rm -rf "$home"' EXIT

window=""
for _ in $(seq 120); do
  window=$(xdotool search --class danqing 2>/dev/null | head -n 1 || true)
  [ -n "$window" ] && break
  kill -0 $app || { cat "$home/log"; echo "the program ended"; exit 1; }
  sleep 0.5
done
[ -n "$window" ] || { cat "$home/log"; echo "no window"; exit 1; }
sleep 5

import -window root "$shot"
colours=$(identify -format %k "$shot")
[ "$colours" -gt 100 ] || { echo "only $colours colours on the screen"; exit 1; }

# A picture from the keyboard alone: without words Ctrl+Enter leads to the prompt, with them it paints.
xdotool windowfocus --sync "$window" key --clearmodifiers ctrl+Return
sleep 1
xdotool type --delay 60 "shan shui"
xdotool key --clearmodifiers ctrl+Return
picture=""
for _ in $(seq 240); do
  picture=$(find "$home" -name '*.png' -path '*丹青*' -size +0 | head -n 1)
  [ -n "$picture" ] && break
  kill -0 $app || { cat "$home/log"; echo "the program ended"; exit 1; }
  sleep 0.5
done
[ -n "$picture" ] || { cat "$home/log"; echo "no picture"; exit 1; }
identify "$picture" | grep -q 'PNG 256x256' || { echo "not a whole picture"; exit 1; }
# The note that tells of it goes by itself.
sleep 8

# Ticks of the processor in three seconds in which nothing happens.
ticks() { awk '{print $14 + $15}' "/proc/$app/stat"; }
before=$(ticks); sleep 3; used=$(( $(ticks) - before ))
kill -0 $app
echo "window up, $colours colours, $used ticks of $(( 3 * $(getconf CLK_TCK) )) used while idle"
[ "$used" -le 6 ] || { echo "the idle window works"; exit 1; }
