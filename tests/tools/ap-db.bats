#!/usr/bin/env bats
# ap-db(1): making, migrating, checking and cleaning the database, and what the runbook
# does with it in the sqlite3 shell.

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
}

teardown() {
    # Whatever a test that failed has left behind.
    if [ -f pids ]; then
        while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done <pids
    fi
}

# A run `demo` of the phases named, each with the command in $command.
create_run() {
    local phases='' name
    for name in "$@"; do
        phases+="${phases:+,}{\"id\": \"$name\", \"name\": \"Phase $name\",
            \"grace\": \"1s\", \"command\": \"${command:-true}\"}"
    done
    echo "{\"run_id\": \"demo\", \"phases\": [$phases]}" >plan.json
    ap-run create plan.json >/dev/null
}

phase_is_executing() {
    [ "$(query "SELECT status FROM phases WHERE phase_id = 'one'")" = EXECUTING ] &&
        [ -s started ]
}

# Starts a phase that takes long and kills its executor, together with the keeper, so that
# the command is left running.
lose_an_executor() {
    command='trap : TERM; echo $$ >>pids; echo x >started; while :; do sleep 0.1; done'
    create_run one
    ap-exec --quiet --run-id demo 3>&- &
    local executor=$! keeper
    echo "$executor" >>pids
    wait_until phase_is_executing
    keeper=$(pgrep -P "$executor")
    echo "$keeper" >>pids
    # Stopped first, or it would end the command as soon as the executor is gone.
    kill -STOP "$keeper"
    kill -KILL "$executor"
    kill -KILL "$keeper"
    wait "$executor" || true
}

@test "init makes the database and the runs directory, and says nothing" {
    run --separate-stderr ap-db init
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    [ "$(query 'PRAGMA journal_mode')" = wal ]
    [ "$(stat -c %a .autonomous_runs)" = 700 ]
}

@test "init leaves a database as it is" {
    create_run one
    run --separate-stderr ap-db init
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    [ "$(query 'SELECT run_id FROM runs')" = demo ]
}

@test "init as JSON says where things are" {
    run ap-db --json --db sub/x.db init
    [ "$status" -eq 0 ]
    [ "$(jq -r .database <<<"$output")" = "$PWD/sub/x.db" ]
    [ "$(jq -r .runs_directory <<<"$output")" = "$PWD/sub/.autonomous_runs" ]
    [ -f sub/x.db ]
}

@test "many processes may make the database at once" {
    for round in 1 2 3 4 5; do
        local pids=()
        for _ in 1 2 3 4 5 6; do
            ap-db init --db "d$round/a.db" 2>>errors 3>&- &
            pids+=($!)
        done
        for pid in "${pids[@]}"; do wait "$pid"; done
        ap-db check --db "d$round/a.db"
    done
    [ ! -s errors ]
}

@test "every verb but init wants a database" {
    for verb in version migrate check stats cleanup; do
        run --separate-stderr ap-db "$verb"
        [ "$status" -eq 66 ]
        [ -z "$output" ]
        [ "$stderr" = "ap-db: no database at '$PWD/autopack.db': run 'ap-db init'" ]
        [ ! -e autopack.db ]
    done
}

@test "the path comes from --db, then AUTOPACK_DB" {
    export AUTOPACK_DB=$PWD/environment.db
    ap-db init
    [ -f environment.db ]
    ap-db init --db option.db
    [ -f option.db ]
    run ap-db --db '' init
    [ "$status" -eq 2 ]
}

@test "version tells the schema of file and program" {
    ap-db init
    program=$(ap-db --json version | jq .program_schema_version)
    [ "$program" -ge 1 ]
    run ap-db version
    [ "$status" -eq 0 ]
    [ "$output" = "schema $program, program $program" ]
    query 'PRAGMA user_version = 999'
    run ap-db version
    [ "$status" -eq 0 ]
    [ "$output" = "schema 999, program $program" ]
}

@test "a database newer than the program is refused" {
    ap-db init
    query 'PRAGMA user_version = 999'
    for verb in init migrate check stats cleanup; do
        run --separate-stderr ap-db "$verb"
        [ "$status" -eq 78 ]
        [ -z "$output" ]
        [[ "$stderr" == *"has schema 999, newer than this program's"* ]]
    done
    [ "$(query 'PRAGMA user_version')" -eq 999 ]
}

@test "migrate makes the schema in an empty file, then has nothing to do" {
    touch autopack.db
    run --separate-stderr ap-db check
    [ "$status" -eq 78 ]
    [[ "$stderr" == *"run 'ap-db migrate'" ]]
    run ap-db --json migrate
    [ "$status" -eq 0 ]
    [ "$(jq .from <<<"$output")" -eq 0 ]
    run ap-db migrate
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    ap-db check
}

@test "the database of another application is left alone" {
    query 'CREATE TABLE theirs (x)'
    for verb in version migrate check stats cleanup; do
        run --separate-stderr ap-db "$verb"
        [ "$status" -eq 65 ]
        [[ "$stderr" == *"is a database of another application" ]]
    done
    [ "$(query 'SELECT count(*) FROM sqlite_schema')" -eq 1 ]
}

@test "check finds nothing in a run that was executed" {
    create_run one two
    ap-exec --quiet --run-id demo
    run --separate-stderr ap-db check
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
}

@test "check prints what does not hold, one finding a line, and exits 1" {
    create_run one
    query "UPDATE budgets SET tokens_used = 7 WHERE phase_id = 'one';
           UPDATE runs SET open_phases = 5"
    run --separate-stderr ap-db check
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 2 ]
    [[ "${lines[0]}" == 'budget-used: budget of run demo phase "one" says 7 tokens'* ]]
    [[ "${lines[1]}" == 'run-counters: run demo counts 5 open'* ]]
    [ -z "$stderr" ]
    run ap-db --json check
    [ "$status" -eq 1 ]
    [ "$(jq -rs 'map(.rule) | join(" ")' <<<"$output")" = 'budget-used run-counters' ]
}

@test "check tells of a damaged file" {
    ap-db init
    query "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
           INSERT INTO events (created_at, kind) SELECT i, 'filler' FROM n"
    pages=$(query 'PRAGMA page_count')
    head -c 4096 /dev/urandom |
        dd of=autopack.db bs=4096 seek=$((pages - 2)) conv=notrunc status=none
    run ap-db check
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == integrity:* ]]
}

@test "stats counts rows and bytes" {
    create_run one two
    run ap-db stats
    [ "$status" -eq 0 ]
    grep -Eqx 'phases +2' <<<"$output"
    run ap-db --json stats
    [ "$(jq .rows.phases <<<"$output")" -eq 2 ]
    [ "$(jq .bytes <<<"$output")" -ge 4096 ]
    [ "$(jq 'has("wal_bytes")' <<<"$output")" = true ]
}

@test "cleanup forgets dead processes and says so only when asked" {
    ap-db init
    query "INSERT INTO connections (pid, pid_started, boot_id, tool, opened_at, last_seen)
           VALUES (1, -1, 'x', 'gone', 1, 1), (2, -1, 'x', 'gone', 1, 1)"
    [ "$(query 'SELECT count(*) FROM pg_stat_activity')" -eq 2 ]
    run ap-db --verbose cleanup
    [ "$status" -eq 0 ]
    [ "$output" = 'forgot 2 connections and 0 executors, took up 0 attempts' ]
    [ "$(query 'SELECT count(*) FROM pg_stat_activity')" -eq 0 ]
    run --separate-stderr ap-db cleanup
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
}

@test "cleanup removes the files of a run whose deletion a crash cut short" {
    echo '{"run_id": "gone", "phases": [{"id": "a", "command": "true"}]}' | ap-run create -
    ap-exec --quiet --run-id gone
    echo '{"run_id": "kept", "phases": [{"id": "a", "command": "true"}]}' | ap-run create -
    ap-exec --quiet --run-id kept
    mkdir .autonomous_runs/of-somebody-else .autonomous_runs/.deleted-half
    # What has happened when ap-run delete is killed after its commit.
    query "PRAGMA foreign_keys = ON; DELETE FROM runs WHERE run_id = 'gone'"
    run ap-db --verbose cleanup
    [ "$status" -eq 0 ]
    [ "${lines[1]}" = 'removed the files of 2 deleted runs' ]
    run find .autonomous_runs -mindepth 1 -maxdepth 1 -printf '%f '
    [ "$(tr ' ' '\n' <<<"$output" | sort | tr -d '\n')" = keptof-somebody-else ]
}

@test "cleanup ends what a killed executor left and queues its phase again" {
    lose_an_executor
    [ "$(query 'SELECT status FROM phases')" = EXECUTING ]
    run ap-db --json cleanup
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.executors, .attempts]' <<<"$output")" = '[1,1]' ]
    [ "$(query 'SELECT status FROM phases')" = QUEUED ]
    [ "$(query 'SELECT status FROM attempts')" = INTERRUPTED ]
    [ "$(query 'SELECT status FROM runs')" = STOPPED ]
    while read -r pid; do ! kill -0 "$pid" 2>/dev/null; done <pids
    ap-db check
}

@test "the runbook's timeout holds for a phase whose executor was killed" {
    lose_an_executor
    query "INSERT INTO controls (run_id, verb, phase_id, source, requested_at)
           VALUES ('demo', 'timeout', 'one', 'file', 1)"
    ap-db cleanup
    [ "$(query 'SELECT status FROM attempts')" = TIMED_OUT ]
    [ "$(query 'SELECT status FROM phases')" = FAILED ]
    [ "$(query 'SELECT status FROM runs')" = DONE_FAILED ]
    ap-db check
}

@test "every SQL line of the runbook runs unchanged in the sqlite3 shell" {
    create_run one two
    query "UPDATE runs SET run_id = run_id;
           INSERT INTO llm_usage_events (run_id, phase_id, phase_name, prompt_tokens,
               completion_tokens, source, created_at)
           VALUES ('demo', 'one', 'Phase one', 100, 20, 'report', 1),
                  ('demo', 'one', 'Phase one', 3, 0, 'report', 1),
                  ('demo', 'two', 'Phase two', 0, 7, 'report', 1)"
    query "UPDATE phases SET status = 'EXECUTING' WHERE phase_id = 'one'"
    query "INSERT INTO connections (pid, pid_started, boot_id, tool, opened_at, last_seen)
           VALUES (1, 1, 'x', 'ap-exec', 1, 1)"
    cat >runbook.sh <<'RUNBOOK'
sqlite3 autopack.db "SELECT * FROM phases WHERE status='EXECUTING'"
sqlite3 autopack.db "PRAGMA integrity_check"
sqlite3 autopack.db "SELECT COUNT(*) FROM pg_stat_activity"
sqlite3 autopack.db "SELECT run_id, SUM(prompt_tokens + completion_tokens) as total FROM llm_usage_events WHERE run_id='<run-id>' GROUP BY run_id"
sqlite3 autopack.db "SELECT run_id, SUM(prompt_tokens + completion_tokens) FROM llm_usage_events WHERE run_id='<run-id>'"
sqlite3 autopack.db "SELECT phase_id, phase_name, SUM(prompt_tokens + completion_tokens) as total FROM llm_usage_events WHERE run_id='<run-id>' GROUP BY phase_id"
RUNBOOK
    if [ -r "$AP_SOURCE/../shared/runbook-seed.txt" ]; then
        # Where the runbook itself is at hand, none of its lines may be missing above.
        diff <(grep -o 'sqlite3 autopack\.db "[^"]*"' "$AP_SOURCE/../shared/runbook-seed.txt" |
            sort -u) <(sort -u runbook.sh)
    fi
    run --separate-stderr sh -e runbook.sh
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    sed -i 's/<run-id>/demo/' runbook.sh
    run --separate-stderr sh -e runbook.sh
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ "${lines[0]}" == 'demo|one|'*'|EXECUTING|'* ]]
    [ "${lines[1]}" = ok ]
    [ "${lines[2]}" = 1 ]
    [ "${lines[3]}" = 'demo|130' ]
    [ "${lines[4]}" = 'demo|130' ]
    [ "${lines[5]}" = 'one|Phase one|123' ]
    [ "${lines[6]}" = 'two|Phase two|7' ]
}

@test "what the sqlite3 shell writes is counted and logged as well" {
    create_run one
    query "INSERT INTO llm_usage_events (run_id, phase_id, prompt_tokens,
               completion_tokens, cost_microusd, source, created_at)
           VALUES ('demo', 'one', 100, 20, 9, 'report', 1)"
    query "INSERT INTO budget_reservations (run_id, phase_id, tokens, pid, created_at)
           VALUES ('demo', 'one', 50, 1, 1)"
    totals="SELECT phase_id, tokens_used, tokens_reserved, cost_used_microusd FROM budgets
            ORDER BY phase_id"
    [ "$(query "$totals")" = $'|120|50|9\none|120|50|9' ]
    query "UPDATE runs SET status = 'STOPPED', reason = 'by hand'"
    [ "$(query "SELECT kind, detail FROM events ORDER BY event_id DESC LIMIT 1")" = \
        'run.status|{"from":"QUEUED","to":"STOPPED","reason":"by hand"}' ]
    run query 'DELETE FROM events'
    [ "$status" -ne 0 ]
    run query 'DELETE FROM llm_usage_events'
    [ "$status" -ne 0 ]
    ap-db check
}

# The part of autopack.db(5) about one table.
described() {
    sed -n "/^\.Ss $1\$/,/^\.Ss /p" "$AP_SOURCE/man/autopack.db.5"
}

@test "autopack.db(5) describes every table and column, and none besides" {
    ap-db init
    local table column
    for table in $(query "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
                          AND name NOT LIKE 'sqlite_%'"); do
        for column in $(query "SELECT name FROM pragma_table_info('$table')"); do
            described "$table" | grep -Eq "^\.(It )?Cm (.* )?$column( |\$)" ||
                { echo "not described: $table.$column"; false; }
        done
        [ "$table" != pg_stat_activity ] || continue
        for column in $(described "$table" | sed -n 's/^\.It Cm //; T; s/ ,//g; p'); do
            [ "$(query "SELECT count(*) FROM pragma_table_info('$table')
                        WHERE name = '$column'")" -eq 1 ] ||
                { echo "not there: $table.$column"; false; }
        done
    done
}

@test "autopack.db(5) names every rule of check" {
    local rule
    for rule in $(sed -n 's/^    {"\([a-z-]*\)", R"sql(.*/\1/p' \
        "$AP_SOURCE/lib/domain/integrity.cc") integrity foreign-key; do
        described Invariants | grep -Eq "^\.It Cm (.* )?$rule( |\$)" ||
            { echo "not described: $rule"; false; }
    done
}

# Runs the command in $1 with ./ro mounted read-only.
with_read_only() {
    unshare -rm sh -ec 'mount --bind ro ro && mount -o remount,bind,ro ro || exit 99
        cd ro; eval "$1"' sh "$1"
}

@test "a read-only file system is read, and what writes says so" {
    mkdir ro
    with_read_only true || skip "cannot mount here"
    create_run one
    mv autopack.db ro/
    run with_read_only 'ap-db check; ap-db version; ap-db --json stats | jq .rows.phases'
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" == 'schema '* ]]
    [ "${lines[1]}" = 1 ]
    for verb in init migrate cleanup; do
        run with_read_only "ap-db $verb"
        [ "$status" -eq 77 ]
        [ "$output" = "ap-db: cannot write '$PWD/ro/autopack.db': Read-only file system" ]
    done
    [ ! -e ro/autopack.db-wal ]
}

@test "a log that cannot be read on a read-only file system is not passed over" {
    mkdir ro
    with_read_only true || skip "cannot mount here"
    ap-db init
    mv autopack.db ro/
    echo log >ro/autopack.db-wal
    run with_read_only 'ap-db check'
    [ "$status" -eq 77 ]
    [[ "$output" == *'with its -wal file'* ]]
}

@test "a full disk is an input/output error and hurts nothing" {
    mkdir full
    unshare -rm true || skip "cannot mount here"
    run unshare -rm sh -c 'mount -t tmpfs -o size=1m none full || exit 99
        cd full && ap-db init || exit 98
        dd if=/dev/zero of=filler bs=4k status=none 2>/dev/null
        ap-db cleanup
        echo "cleanup $?"
        rm filler
        ap-db check && ap-db cleanup
        echo "after $?"'
    [ "$status" -ne 99 ] || skip "cannot mount here"
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" == "ap-db: database '$PWD/full/autopack.db': "* ]]
    [ "${lines[1]}" = 'cleanup 74' ]
    [ "${lines[2]}" = 'after 0' ]
}
