#!/bin/sh
# What a phase of the crash campaign does; the kind is its argument. A report is noted in a
# file only after it was acknowledged.
set -eu
name=$AUTOPACK_PHASE_ID-$AUTOPACK_ATTEMPT
top=$(dirname "$AUTOPACK_DB")

report() {
    for number in 1 2 3 4 5 6; do
        if ap-budget report --prompt-tokens 1 --request-id "$name-$number"; then
            echo "$name-$number" >>"$top/$AUTOPACK_RUN_ID.reports"
        fi
    done
}

fifo() {
    for number in 1 2 3 4 5 6 7 8 9 10 11 12; do
        echo "{\"prompt_tokens\": 1, \"model\": \"$name-$number\"}" >"$AUTOPACK_USAGE_FIFO"
        echo "$name-$number" >>"$top/$AUTOPACK_RUN_ID.fifo"
        sleep 0.01
    done
}

case $1 in
report) report ;;
fifo) fifo ;;
both)
    fifo &
    report
    wait
    ;;
daemon)
    setsid sh -c 'sleep 300 & sleep 300' >/dev/null 2>&1 &
    sleep 0.05
    ;;
stubborn)
    trap '' TERM
    sleep 0.2
    ;;
failing)
    sleep 0.02
    [ "$AUTOPACK_ATTEMPT" -gt 1 ]
    ;;
checked | quick) sleep 0.02 ;;
esac
