#!/usr/bin/env bash
# Chinese through a real input method: fcitx5 types pinyin into the prompt of the real window on a virtual display.
#   tests/window/pinyin.sh PROGRAM [FOLDER_FOR_SCREENSHOTS]
# Needs xvfb, openbox, xdotool, imagemagick, dbus, fcitx5, fcitx5-chinese-addons, and a Vulkan driver.
set -euo pipefail
[ -n "${DANQING_ON_A_BUS:-}" ] || exec env DANQING_ON_A_BUS=1 dbus-run-session -- "$0" "$@"
program=$1
home=$(mktemp -d)
out=${2:-$home/shots}
mkdir -p "$out"
export HOME="$home" XDG_RUNTIME_DIR="$home/run" XMODIFIERS=@im=fcitx LANG=C.UTF-8
export DANQING_MODELS="${DANQING_MODELS:-$(cd "$(dirname "$0")/../.." && pwd)/models}"
unset WAYLAND_DISPLAY XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
mkdir -p "$XDG_RUNTIME_DIR" "$home/.config/fcitx5" "$home/.config/danqing" && chmod 700 "$XDG_RUNTIME_DIR"
echo '{"language": "zh-CN"}' > "$home/.config/danqing/settings.json"
cat > "$home/.config/fcitx5/profile" <<PROFILE
[Groups/0]
Name=Default
Default Layout=us
DefaultIM=pinyin
[Groups/0/Items/0]
Name=keyboard-us
[Groups/0/Items/1]
Name=pinyin
[GroupOrder]
0=Default
PROFILE
exec 3< <(exec Xvfb -displayfd 1 -screen 0 1280x800x24 -noreset 2>/dev/null)
others=($!)
read -r -u 3 number
export DISPLAY=":$number"
fcitx5 -d --replace >/dev/null 2>&1
sleep 3
openbox >/dev/null 2>&1 & others+=($!)
sleep 1
"$program" 2>"$home/log" & app=$!
trap 'kill $app "${others[@]}" 2>/dev/null || true; fcitx5-remote -e 2>/dev/null || true; rm -rf "$home"' EXIT
fail() { echo "$1"; cat "$home/log"; exit 1; }
for _ in $(seq 120); do
  window=$(xdotool search --class danqing 2>/dev/null | head -n 1 || true)
  [ -n "$window" ] && break
  kill -0 $app || fail "the program ended"
  sleep 0.5
done
[ -n "$window" ] || fail "no window"
sleep 4
xdotool windowmove "$window" 0 0 windowsize "$window" 1280 800 windowfocus "$window"
sleep 2
xdotool mousemove 170 200; sleep 0.3; xdotool mousemove 180 205; sleep 0.5; xdotool click 1
sleep 1.5
shot() { import -window root "$out/$1.png"; }
press() { xdotool key "$@"; sleep 1; }
letters() { xdotool type --delay 250 "$1"; sleep 2; }

# The input method learns of the window by its first letters.
fcitx5-remote -c; letters ab; press BackSpace; press BackSpace
fcitx5-remote -o; sleep 1
[ "$(fcitx5-remote)" = 2 ] && [ "$(fcitx5-remote -n)" = pinyin ] || fail "the input method is not on"
letters huanghe; shot 1-composing
press space; shot 2-committed
press comma; shot 3-comma
letters rubhailiu; shot 4-composing-again
press Escape; shot 5-escaped
letters shanshui; press Return; shot 6-letters-by-enter
# Ctrl+Enter ends nothing that is not composed: it paints, and the recipe of the picture tells what arrived.
press ctrl+Return
picture=""
for _ in $(seq 240); do
  picture=$(find "$home" -name '*.png' -path '*丹青*' -size +0 | head -n 1)
  [ -n "$picture" ] && break
  kill -0 $app || fail "the program ended"
  sleep 0.5
done
[ -n "$picture" ] || fail "no picture"
sleep 2; shot 7-painted
pictures=$(find "$home" -name '*.png' -path '*丹青*' -not -path '*thumb*' -size +0 | wc -l)
prompt=$("$program" inspect "$picture" | grep -o '黄河[^"]*' | head -n 1 || true)
echo "prompt: $prompt; pictures: $pictures"
[ "$prompt" = "黄河，shanshui" ] || fail "not what was typed"
[ "$pictures" = 1 ] || fail "a key in a composition painted"
