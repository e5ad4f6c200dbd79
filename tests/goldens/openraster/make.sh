#!/usr/bin/env bash
# Asks Krita and MyPaint to open our layered file, and keeps what they saw and what they write themselves.
#   apt-get install krita mypaint xvfb; tests/goldens/openraster/make.sh
# The goldens here come from Krita 5.1.5 and MyPaint 2.0.1 of Debian 12.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
DANQING_ORA="$work" cargo test --locked --manifest-path "$here/../../../Cargo.toml" --test openraster the_file_for_the_others
cd "$work"
export HOME="$work" LANG=C.UTF-8
for kind in png ora; do xvfb-run -a krita 丹青.ora --export --export-filename "krita.$kind"; done
xvfb-run -a /usr/bin/python3 - <<'PYTHON'
import sys
sys.path.insert(0, "/usr/lib/mypaint")
import gi
for name in ("Gdk", "Gtk"):
    gi.require_version(name, "3.0")
from lib import mypaintlib  # loads the library that lib.document needs
import lib.document
document = lib.document.Document(painting_only=True)
document.load("丹青.ora")
document.save("mypaint.ora")
PYTHON
cp krita.png krita.ora mypaint.ora "$here/"
