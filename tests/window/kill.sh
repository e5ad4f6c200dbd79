#!/usr/bin/env bash
# The real window is killed (SIGKILL) at random instants while somebody paints, again and again. After each start what was
# painted is back, and no file is half written.
#   [N=5] [SEED=1] tests/window/kill.sh [PROGRAM]
# N is how often it is killed; a round takes about 15 seconds. Needs Xvfb, xdotool, python3.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
program=${1:-${CARGO_TARGET_DIR:-$root/target}/debug/danqing}
rounds=${N:-5}
RANDOM=${SEED:-1}
home=$(mktemp -d)
export HOME="$home" XDG_RUNTIME_DIR="$home/run" LANG=zh_CN.UTF-8 DANQING_LOG=info
# The build may lie elsewhere than beside the models.
export DANQING_MODELS="${DANQING_MODELS:-$root/models}"
unset WAYLAND_DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_PICTURES_DIR
mkdir -p "$XDG_RUNTIME_DIR" && chmod 700 "$XDG_RUNTIME_DIR"
exec 3< <(exec Xvfb -displayfd 1 -screen 0 1440x900x24 -noreset 2>/dev/null)
xvfb=$!
read -r -u 3 number
export DISPLAY=":$number"
app=""
trap 'kill -9 $app $xvfb 2>/dev/null || true; rm -rf "$home"' EXIT

fail() { cat "$home/log"; echo "$1"; exit 1; }

window=""
start() {
  "$program" 2>"$home/log" &
  app=$!
  window=""
  for _ in $(seq 240); do
    window=$(xdotool search --class danqing 2>/dev/null | head -n 1 || true)
    [ -n "$window" ] && break
    kill -0 $app || fail "the program ended"
    sleep 0.25
  done
  [ -n "$window" ] || fail "no window"
}

# Waits for a line of the log, at most so many seconds.
said() {
  for _ in $(seq $(( $2 * 10 ))); do
    grep -q "$1" "$home/log" && return 0
    kill -0 $app || fail "the program ended"
    sleep 0.1
  done
  return 1
}

# Every file is empty by intent or whole, and every index opens.
look() {
  local bad
  bad=$(find "$home" -type f -size 0 ! -name '*.lock' ! -name '*.part' ! -name log ! -name '*-wal' ! -name '*-journal' ! -path "$home/run/*")
  [ -z "$bad" ] || fail "empty files: $bad"
  find "$home" -name '*.json' -type f -print0 | xargs -0 -r -n 1 python3 -c 'import json, sys; json.load(open(sys.argv[1], encoding="utf-8"))' || fail "a file is broken"
  find "$home" -name '*.png' -type f -print0 | xargs -0 -r -n 1 python3 -c '
import sys
bytes = open(sys.argv[1], "rb").read()
assert bytes[:8] == b"\x89PNG\r\n\x1a\n" and bytes[-8:-4] == b"IEND", sys.argv[1]' || fail "a picture is broken"
  find "$home" -name '*.db' -type f -print0 | xargs -0 -r -n 1 python3 -c '
import sqlite3, sys
assert sqlite3.connect(sys.argv[1]).execute("pragma integrity_check").fetchone() == ("ok",), sys.argv[1]' || fail "an index is broken"
}

# A stroke of the colour brush across the canvas, which lies at the right of the panels.
stroke() {
  local y=$(( 300 + RANDOM % 200 ))
  xdotool mousemove $(( 600 + RANDOM % 100 )) "$y" mousedown 1
  for step in 1 2 3 4 5; do xdotool mousemove $(( 650 + step * 40 )) $(( y + RANDOM % 40 )); done
  xdotool mouseup 1
}

# The first stroke needs a canvas: an empty desk shows examples in its place.
start
sleep 4
xdotool windowfocus --sync "$window" key --clearmodifiers ctrl+n
sleep 1
xdotool key --clearmodifiers b
stroke
said "the document is kept safe" 15 || fail "what was painted was not kept"
for round in $(seq "$rounds"); do
  # Some strokes, and the end at any instant of them, or of the writing after.
  ( for _ in 1 2 3 4 5 6 7 8; do stroke; sleep 0.$(( RANDOM % 9 )); done ) 2>/dev/null &
  hand=$!
  sleep $(( RANDOM % 4 )).$(( RANDOM % 10 ))
  kill -9 $app
  wait $app 2>/dev/null || true
  wait $hand 2>/dev/null || true
  xdotool mouseup 1
  look
  start
  said "an unsaved document is restored" 20 || fail "round $round: nothing came back"
  said "the document is kept safe" 20 || fail "round $round: what came back is not safe"
  look
  xdotool windowfocus --sync "$window" key --clearmodifiers b
done
kill -9 $app
echo "killed $rounds times, and each time the painting came back"
