#!/usr/bin/env bash
# How long the real window takes until it is on a virtual display with its contents, while the model loads behind it.
#   [N=5] tests/window/start.sh PROGRAM
# The first start of all fills the driver's cache of shaders and is not counted. Needs xvfb, xdotool, imagemagick, and a
# Vulkan driver.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
program=$1
home=$(mktemp -d)
export HOME="$home" XDG_RUNTIME_DIR="$home/run" LANG=zh_CN.UTF-8
export DANQING_MODELS="${DANQING_MODELS:-$root/models}"
unset WAYLAND_DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
mkdir -p "$XDG_RUNTIME_DIR" && chmod 700 "$XDG_RUNTIME_DIR"
exec 3< <(exec Xvfb -displayfd 1 -screen 0 1440x900x24 -noreset 2>/dev/null)
xvfb=$!
read -r -u 3 number
export DISPLAY=":$number"
app=""
trap 'kill $app $xvfb 2>/dev/null || true; rm -rf "$home"' EXIT
now() { date +%s%N; }
for round in $(seq 0 "${N:-5}"); do
  began=$(now)
  "$program" 2>"$home/log" & app=$!
  until xdotool search --onlyvisible --class danqing >/dev/null 2>&1; do kill -0 "$app"; done
  shown=$(( ($(now) - began) / 1000000 ))
  # A bare window has one colour.
  until [ "$(import -window root -resize 25% rgb:- | od -An -v -tx1 -w3 | sort -u | wc -l)" -gt 50 ]; do
    kill -0 "$app" || { cat "$home/log"; exit 1; }
  done
  painted=$(( ($(now) - began) / 1000000 ))
  [ "$round" = 0 ] || echo "window after $shown ms, its contents are seen after $painted ms"
  kill "$app"; wait "$app" 2>/dev/null || true
done
