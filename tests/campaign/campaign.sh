#!/bin/bash
# The crash campaign: rounds of runs whose executors, keepers, children and usage writers
# are killed with SIGKILL at random moments. After each round the database must be sound,
# every acknowledged report and every change of state must be there, the run must come to
# its end with the next ap-exec, and no process may be left.
#
# AP_CAMPAIGN_ROUNDS   how many rounds (default 10)
# AP_CAMPAIGN_SEED     a number, to repeat a campaign; chosen and printed if not given
# AP_CAMPAIGN_KEEP     keep the directory of a campaign that failed
set -euo pipefail
rounds=${AP_CAMPAIGN_ROUNDS:-10}
seed=${AP_CAMPAIGN_SEED:-$((($$ * 7919 + SECONDS + $(date +%s)) % 32768))}
unset AUTOPACK_DB AUTOPACK_RUNS_DIR "${!AUTOPACK_RUN_TOKEN@}" "${!AUTOPACK_PHASE_TOKEN@}"
export AP_CAMPAIGN=$$-$seed
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d "${TMPDIR:-/tmp}/ap-campaign-XXXXXX")
cd "$directory"
RANDOM=$seed
echo "campaign: $rounds rounds, AP_CAMPAIGN_SEED=$seed"

# up_to N: a random number from 0 to N - 1, in $chosen (a subshell would have a RANDOM of
# its own)
up_to() {
    chosen=$((RANDOM % $1))
}

# pause_up_to MILLISECONDS: a random moment
pause_up_to() {
    up_to "$1"
    sleep "$(printf '0.%03d' "$chosen")"
}

fail() {
    echo "campaign: round $round, AP_CAMPAIGN_SEED=$seed: $*" >&2
    echo "campaign: victims of the round:${victims:- none}" >&2
    end_all
    exit 1
}

# The processes of this campaign, whatever they forked to; not this script and its own.
processes() {
    grep -lsz "^AP_CAMPAIGN_ROUND=$AP_CAMPAIGN-$round\$" /proc/[0-9]*/environ |
        cut -d / -f 3 || true
}

end_all() {
    local pids
    for _ in {1..50}; do
        pids=$(processes)
        [ -n "$pids" ] || return 0
        # The pids are split into words on purpose.
        # shellcheck disable=SC2086
        kill -KILL $pids 2>/dev/null || true
        sleep 0.02
    done
}

finish() {
    local status=$?
    end_all
    cd /
    if [ "$status" -ne 0 ] && [ -n "${AP_CAMPAIGN_KEEP:-}" ]; then
        echo "campaign: kept $directory" >&2
    else
        rm -rf "$directory"
    fi
}
round=0
trap finish EXIT

query() {
    sqlite3 -cmd '.timeout 10000' autopack.db "$1"
}

# The kinds of phases, by what they do to whom has to end or to recover them.
kinds=(report fifo both daemon stubborn failing checked quick)

# new_run: of eight random phases, some of which wait for others
new_run() {
    local phases='' kind number needs
    for number in {1..8}; do
        up_to ${#kinds[@]}
        kind=${kinds[$chosen]}
        needs='[]'
        up_to 3
        [ "$number" -eq 1 ] || [ "$chosen" -ne 0 ] || needs="[\"p$((number - 1))\"]"
        phases+="{\"id\": \"p$number\", \"command\": [\"sh\", \"$here/phase.sh\", \"$kind\"],
            \"depends_on\": $needs, \"grace\": \"300ms\", \"timeout\": \"20s\",
            \"max_attempts\": 3, \"backoff\": {\"first\": \"5ms\"}"
        [ "$kind" != checked ] || phases+=', "check": [["sleep", "0.05"], ["true"]]'
        phases+='},'
    done
    echo "{\"run_id\": \"$run\", \"phases\": [${phases%,}]}" | ap-run create - >/dev/null
}

# execute: an executor in the background
execute() {
    up_to 3
    AP_CAMPAIGN_ROUND=$AP_CAMPAIGN-$round ap-exec --quiet --run-id "$run" \
        --jobs $((chosen + 1)) >>"$run.out" 2>&1 &
    executors+=($!)
}

# candidates_of KIND: the processes of that kind that there are now, in $candidates
candidates_of() {
    local pid comm
    candidates=()
    for pid in $(processes); do
        comm=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
        case $1:$comm in
        executor:ap-exec | keeper:ap-keeper) candidates+=("$pid") ;;
        child:ap-exec | child:ap-keeper | child:ap-budget) ;;
        child:*) candidates+=("$pid") ;;
        esac
    done
}

# A report lasts a few milliseconds, too short to be met by chance, so one is made to be
# killed. Nobody was told that it was recorded; it may be there or not.
kill_writer() {
    AUTOPACK_RUN_ID=$run ap-budget report --prompt-tokens 1 \
        --request-id "killed-$round-$RANDOM" >/dev/null 2>&1 &
    local writer=$!
    pause_up_to 4
    if kill -KILL "$writer" 2>/dev/null; then
        victims+=' writer'
        killed[writer]=$((${killed[writer]:-0} + 1))
    fi
    wait "$writer" 2>/dev/null || true
}

# kill_one KIND: kills a random process of that kind; none in the next moments is as well
kill_one() {
    if [ "$1" = writer ]; then
        kill_writer
        return
    fi
    local candidates
    for _ in {1..10}; do
        candidates_of "$1"
        [ ${#candidates[@]} -eq 0 ] || break
    done
    [ ${#candidates[@]} -gt 0 ] || return 0
    up_to ${#candidates[@]}
    if kill -KILL "${candidates[$chosen]}" 2>/dev/null; then
        victims+=" $1"
        killed[$1]=$((${killed[$1]:-0} + 1))
    fi
}

check_sound() {
    ap-db check >findings || fail "ap-db check $1: $(head -3 findings)"
}

# check_empty WHAT SQL: a query that must find nothing
check_empty() {
    local found
    found=$(query "$2")
    [ -z "$found" ] || fail "$1: $(head -3 <<<"$found")"
}

# Each change of state is an event, and each event goes on from the one before it.
check_events() {
    check_empty 'events are missing' \
        'SELECT count(*), max(event_id) FROM events HAVING count(*) <> max(event_id)'
    check_empty 'a change of a phase has no event' "
        SELECT phase_id, event_id FROM (SELECT phase_id, event_id, detail ->> 'from' AS start,
            coalesce(lag(detail ->> 'to') OVER (PARTITION BY phase_id ORDER BY event_id),
                'QUEUED') AS before
            FROM events WHERE run_id = '$run' AND kind = 'phase.status')
        WHERE start <> before"
    check_empty 'a change of the run has no event' "
        SELECT event_id FROM (SELECT event_id, detail ->> 'from' AS start,
            coalesce(lag(detail ->> 'to') OVER (ORDER BY event_id), 'QUEUED') AS before
            FROM events WHERE run_id = '$run' AND kind = 'run.status') WHERE start <> before"
    check_empty 'an attempt has no event of its start' "
        SELECT phase_id, attempts_made, (SELECT count(*) FROM events e WHERE
            e.run_id = p.run_id AND e.phase_id = p.phase_id AND kind = 'phase.status'
            AND detail ->> 'to' = 'EXECUTING') AS starts
        FROM phases p WHERE run_id = '$run' AND attempts_made <> starts"
    check_empty 'an attempt has no event of its end' "
        SELECT phase_id, number, status FROM attempts a WHERE run_id = '$run'
            AND status <> 'SUCCEEDED' AND NOT EXISTS (SELECT 1 FROM events e
                WHERE e.run_id = a.run_id AND e.phase_id = a.phase_id
                AND e.attempt = a.number AND kind = 'attempt.status'
                AND detail ->> 'to' = a.status)"
}

check_ends() {
    check_empty 'a complete phase has not one successful attempt' "
        SELECT phase_id, p.status, count(a.number) FROM phases p LEFT JOIN attempts a
            USING (run_id, phase_id) WHERE run_id = '$run' AND a.status = 'SUCCEEDED'
        GROUP BY phase_id HAVING count(*) <> 1 OR p.status <> 'COMPLETE'"
    local phase number
    while IFS='|' read -r phase number; do
        jq -e .status ".autonomous_runs/$run/phases/$phase/attempt-$number/result.json" \
            >/dev/null || fail "attempt $number of phase $phase has no whole result.json"
    done < <(query "SELECT phase_id, number FROM attempts WHERE run_id = '$run'")
    check_empty 'a phase is stuck' "SELECT phase_id, status FROM phases
        WHERE run_id = '$run' AND status NOT IN ('COMPLETE', 'FAILED', 'SKIPPED')"
}

# check_acknowledged FILE: every report in it is recorded, and no report twice
check_acknowledged() {
    [ -e "$1" ] || return 0
    local missing
    missing=$(comm -23 <(sort "$1") <(query "SELECT request_id FROM llm_usage_events
        WHERE run_id = '$run' AND request_id IS NOT NULL" | sort))
    [ -z "$missing" ] ||
        fail "$(wc -l <<<"$missing") reports of $1 are lost: $(head -3 <<<"$missing")"
    acknowledged=$((acknowledged + $(wc -l <"$1")))
}

# Reports through the FIFO have no id here that would hide a repetition.
check_fifo() {
    check_empty 'a report of the FIFO was counted twice' "
        SELECT model, count(*) FROM llm_usage_events WHERE run_id = '$run'
            AND source = 'fifo' GROUP BY model HAVING count(*) > 1"
    [ -e "$run.fifo" ] || return 0
    # Both holders of a FIFO killed at once take what is in it with them.
    if [[ $victims == *executor* && $victims == *keeper* ]]; then
        return 0
    fi
    local missing
    missing=$(comm -23 <(sort "$run.fifo") <(query "SELECT model FROM llm_usage_events
        WHERE run_id = '$run' AND source = 'fifo'" | sort))
    [ -z "$missing" ] ||
        fail "$(wc -l <<<"$missing") reports of the FIFO are lost: $(head -3 <<<"$missing")"
    acknowledged=$((acknowledged + $(wc -l <"$run.fifo")))
}

check_no_process() {
    local left
    for _ in {1..200}; do
        left=$(processes)
        [ -n "$left" ] || return 0
        sleep 0.05
    done
    # shellcheck disable=SC2086
    fail "processes are left: $(ps -o pid,ppid,stat,args -p "$(paste -sd, <<<"$left")")"
}

wait_for_executors() {
    local pid status
    for pid in "${executors[@]}"; do
        status=0
        { wait "$pid"; } 2>/dev/null || status=$?
        case $status in
        0 | 1 | 137) ;;
        *) fail "an executor ended with status $status: $(tail -3 "$run.out")" ;;
        esac
    done
}

acknowledged=0
declare -A killed=()
for ((round = 1; round <= rounds; round++)); do
    run=r$round
    executors=()
    victims=
    new_run
    execute
    up_to 3
    [ "$chosen" -ne 0 ] || execute
    up_to 3
    for ((kills = chosen + 1; kills > 0; kills--)); do
        pause_up_to 250
        up_to 5
        kinds_of_victims=(executor executor keeper child writer)
        kill_one "${kinds_of_victims[$chosen]}"
    done
    check_sound 'right after the kills'
    execute
    wait_for_executors
    check_no_process
    check_sound 'after the next ap-exec'
    check_ends
    check_events
    check_acknowledged "$run.reports"
    check_fifo
done
echo "campaign: $rounds rounds passed; killed: executors ${killed[executor]:-0}, keepers" \
    "${killed[keeper]:-0}, children ${killed[child]:-0}, writers ${killed[writer]:-0};" \
    "$acknowledged acknowledged reports, $(query 'SELECT count(*) FROM attempts') attempts," \
    "$(query "SELECT count(*) FROM attempts WHERE status = 'INTERRUPTED'") interrupted"
