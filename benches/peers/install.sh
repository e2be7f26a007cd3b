#!/bin/sh
# Makes benches/peers/.venv with the pinned versions of what the peers need.
set -eu
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install -r requirements.txt
