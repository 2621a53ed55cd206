#!/bin/bash
# Runs a command, shows what it prints, and says how many tests passed in it. Fails if the command
# fails, or if there were none: a test run that runs nothing must not look like one that is fine.
set -euo pipefail

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
"$@" 2>&1 | tee "$output" || status=${PIPESTATUS[0]}
awk '/^test result:/ {
    for (i = 2; i <= NF; i++) {
        if ($i ~ /^passed/) passed += $(i - 1)
        if ($i ~ /^failed/) failed += $(i - 1)
        if ($i ~ /^ignored/) ignored += $(i - 1)
    }
}
END {
    printf "%d tests passed, %d failed, %d ignored\n", passed, failed, ignored
    exit passed == 0
}' "$output" || [ "$status" -ne 0 ] || status=1
exit "$status"
