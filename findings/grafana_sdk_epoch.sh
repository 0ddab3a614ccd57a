#!/usr/bin/env bash
# grafana-foundation-sdk on PyPI: each release is published once per version of Grafana, as EPOCH!GRAFANA, where the epoch is the
# time of that build. Versions are compared by epoch first, so `pip install grafana-foundation-sdk` takes the last one built, which
# is that of the oldest Grafana, and a plain range such as ">=11" only compares within epoch 0.
#
# Seen on 2026-11-30 with pip:
#   newest by version order: 1769699998!10.1.0
#   built for Grafana 11.6:  1769699379!11.6.0
#   what ">=11,<12" finds:   nothing
# Exit code 1 when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip --disable-pip-version-check --quiet)

"${pip[@]}" download --no-deps --dest "$folder/newest" grafana-foundation-sdk
newest=$(basename "$folder"/newest/*.whl)
"${pip[@]}" download --no-deps --dest "$folder/pinned" 'grafana-foundation-sdk==1769699379!11.6.0'
pinned=$(basename "$folder"/pinned/*.whl)
if "${pip[@]}" download --no-deps --dest "$folder/range" 'grafana-foundation-sdk>=11,<12' 2>/dev/null; then
    range=$(basename "$folder"/range/*.whl)
else
    range=nothing
fi
echo "without a version: $newest"
echo "pinned:            $pinned"
echo ">=11,<12:          $range"
[[ "$newest" == *'!10.1.0-'* && "$pinned" == *'!11.6.0-'* && "$range" == nothing ]]
