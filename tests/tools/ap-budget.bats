#!/usr/bin/env bats
# ap-budget(1): budgets shown, capped, used, reserved and settled, as scripts do it.

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR AUTOPACK_RUN_ID AUTOPACK_PHASE_ID
    unset "${!AUTOPACK_RUN_TOKEN@}" "${!AUTOPACK_PHASE_TOKEN@}"
    ap-run create - >/dev/null <<'PLAN'
{"run_id": "r", "token_cap": 1000, "cost_cap_usd": 2, "phases": [
    {"id": "a", "command": "true", "token_cap": 500},
    {"id": "b", "command": "true", "type": "research"}]}
PLAN
}

# member NAME [PHASE]: of the budget of the run, or of a phase
member() {
    ap-budget show r ${2:+"$2"} --json | jq -s ".[0].$1"
}

@test "show prints a table of the run and its phases" {
    ap-budget report r a --prompt-tokens 100 --completion-tokens 23 --cost-usd 0.25
    ap-budget reserve r b --tokens 77
    run -0 --separate-stderr ap-budget show r
    [ -z "$stderr" ]
    [ "${#lines[@]}" -eq 4 ]
    [[ "${lines[0]}" =~ ^BUDGET\ +CAP\ +USED\ +RESERVED\ +LEFT\ +USE\ +COST$ ]]
    [[ "${lines[1]}" =~ ^r\ +1000\ +123\ +77\ +800\ +12%\ +\$0\.2500$ ]]
    [[ "${lines[2]}" =~ ^\ \ a\ +500\ +123\ +0\ +377\ +24%\ +\$0\.2500$ ]]
    [[ "${lines[3]}" =~ ^\ \ b\ +750000\ +0\ +77\ +749923\ +0%\ +\$0\.0000$ ]]
    run -0 ap-budget show r b
    [ "${#lines[@]}" -eq 2 ]
}

@test "show --json prints an object a line with every documented member" {
    ap-budget report r a --prompt-tokens 600 --cost-usd 0.5 || true
    ap-budget reserve r --tokens 5 --cost-usd 0.125
    run -0 --separate-stderr ap-budget show r --json
    [ "${#lines[@]}" -eq 3 ]
    [ "$(jq -cS . <<<"${lines[0]}")" = "$(jq -cS . <<<'{"run_id":"r","phase_id":null,
        "token_cap":1000,"tokens_used":600,"tokens_reserved":5,"tokens_left":395,
        "cost_cap_microusd":2000000,"cost_used_microusd":500000,
        "cost_reserved_microusd":125000,"exceeded":false,"warned":false}')" ]
    [ "$(jq -c '[.phase_id, .tokens_used, .tokens_left, .exceeded, .cost_cap_microusd]' \
        <<<"${lines[1]}")" = '["a",600,0,true,null]' ]
    run -0 ap-budget show r a --json
    [ "${#lines[@]}" -eq 1 ]
}

@test "what is not there is status 66, and nothing goes to standard output" {
    for words in "show nope" "show r nope" "set nope --tokens 1" "set r nope --tokens 1" \
        "reserve nope --tokens 1" "reserve r nope --tokens 1" "settle 7 --release" \
        "report nope --prompt-tokens 1" "report r nope --prompt-tokens 1" "watch nope" \
        "report r --file missing"; do
        # The words are split on purpose.
        # shellcheck disable=SC2086
        run -66 --separate-stderr ap-budget $words
        [ -z "$output" ]
        [[ "$stderr" == "ap-budget: "* ]]
        [ "${#stderr_lines[@]}" -eq 1 ]
    done
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
}

@test "usage errors are status 2 with a hint and change nothing" {
    for words in "" "shwo r" "show" "show r a b" "set r" "set r --tokens -1" \
        "set r --tokens 1e3" "set r --tokens 99999999999999" "set r --cost-usd much" \
        "reserve r" "reserve r --tokens x" "settle" "settle x --release" "settle 0 --release" \
        "settle 1" "watch r --interval 0" "watch r --interval soon" "show r --nothing"; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr ap-budget $words
        [ -z "$output" ]
        [ "${stderr_lines[1]}" = "ap-budget: try 'ap-budget --help'" ]
    done
    [ "$(query "SELECT token_cap FROM budgets WHERE phase_id = ''")" -eq 1000 ]
    [ "$(query 'SELECT count(*) FROM budget_reservations')" -eq 0 ]
}

@test "options that would be ignored are refused" {
    id=$(ap-budget reserve r a --tokens 1)
    echo '{"prompt_tokens": 1}' >usage
    for words in "report r --file usage --prompt-tokens 1" "report r --file usage --model m" \
        "report r --cost-usd 1" "report r --request-id x" "settle $id --model m" \
        "settle $id --release --prompt-tokens 1"; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr ap-budget $words <usage
        [ "${stderr_lines[1]}" = "ap-budget: try 'ap-budget --help'" ]
    done
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
    [ "$(member tokens_reserved)" -eq 1 ]
}

@test "report without RUN belongs to the phase it is executed in" {
    export AUTOPACK_RUN_ID=r AUTOPACK_PHASE_ID=a
    ap-budget report --prompt-tokens 1
    [ "$(query 'SELECT run_id, phase_id, source FROM llm_usage_events')" = 'r|a|report' ]
    # A run that is named is not executed here.
    ap-budget report r --prompt-tokens 2
    [ "$(query 'SELECT phase_id FROM llm_usage_events WHERE prompt_tokens = 2')" = '' ]
    unset AUTOPACK_RUN_ID AUTOPACK_PHASE_ID
    run -2 --separate-stderr ap-budget report --prompt-tokens 1
    [[ "$stderr" == *"no run: give RUN or set AUTOPACK_RUN_ID"* ]]
}

@test "report takes every member of a record from standard input and from a file" {
    run -0 --separate-stderr ap-budget report r a <<'RECORDS'
{"provider": "p", "model": "m", "prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4, "cache_write_tokens": 3, "reasoning_tokens": 2, "cost_usd": 0.5, "duration_ms": 7, "estimated": true, "request_id": "q", "other": [1]}

{"input_tokens": 20, "output_tokens": null, "cost_microusd": 9}
RECORDS
    [ -z "$output$stderr" ]
    run -0 query 'SELECT provider, model, prompt_tokens, completion_tokens, cached_tokens,
        cache_write_tokens, reasoning_tokens, cost_microusd, duration_ms, estimated,
        request_id FROM llm_usage_events'
    [ "${lines[0]}" = 'p|m|10|5|4|3|2|500000|7|1|q' ]
    [ "${lines[1]}" = '||20|0|0|0|0|9|0|0|' ]
    echo '{"prompt_tokens": 100}' >usage
    ap-budget report r --file usage
    echo '{"prompt_tokens": 200}' | ap-budget report r --file -
    [ "$(member tokens_used)" -eq 335 ]
    [ "$(member tokens_used a)" -eq 35 ]
}

@test "a record that is none is named by line, and none of its input is recorded" {
    for bad in '{"prompt_tokens": -1}' '{"prompt_tokens": 1.5}' '{"prompt_tokens": "1"}' \
        '{"model": "m"}' '[]' 'nonsense' '{"prompt_tokens": 1, "cost_usd": -1}' \
        '{"prompt_tokens": 1, "model": 3}' '{"prompt_tokens": 1000000000001}' \
        '{"prompt_tokens": 1, "estimated": "yes"}'; do
        printf '{"prompt_tokens": 1}\n\n%s\n' "$bad" >usage
        run -65 --separate-stderr ap-budget report r --file usage
        [ -z "$output" ]
        [[ "$stderr" =~ ^ap-budget:\ usage:.*3 ]]
        [ "${#stderr_lines[@]}" -eq 1 ]
    done
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
    [ "$(member tokens_used)" -eq 0 ]
}

@test "a request id is counted once in a run" {
    for _ in 1 2 3; do
        ap-budget report r a --prompt-tokens 10 --request-id call-1
    done
    ap-budget report r b --prompt-tokens 10 --request-id call-1
    [ "$(member tokens_used)" -eq 10 ]
    [ "$(member tokens_used b)" -eq 0 ]
    echo '{"run_id": "s", "phases": [{"id": "a", "command": "true"}]}' | ap-run create -
    ap-budget report s a --prompt-tokens 10 --request-id call-1
    [ "$(ap-budget show s a --json | jq .tokens_used)" -eq 10 ]
}

@test "a report that finds the budget exceeded is recorded and says so with status 80" {
    run -0 ap-budget report r a --prompt-tokens 500
    run -80 --separate-stderr ap-budget report r a --prompt-tokens 1
    [ "$(member tokens_used a)" -eq 501 ]
    # b's own budget is far from exceeded, and so is the run's.
    run -0 ap-budget report r b --prompt-tokens 499
    run -80 ap-budget report r b --prompt-tokens 1
    [ "$(member exceeded)" = true ]
}

@test "a budget of money is exceeded like one of tokens" {
    run -0 ap-budget report r a --prompt-tokens 1 --cost-usd 2
    run -80 ap-budget report r a --prompt-tokens 1 --cost-usd 0.000001
    [ "$(member cost_used_microusd)" -eq 2000001 ]
    ap-budget set r --cost-usd none
    [ "$(member cost_cap_microusd)" = null ]
    run -0 ap-budget report r a --prompt-tokens 1 --cost-usd 5
}

@test "set changes the caps of run and phase and logs each change" {
    ap-budget set r --tokens 4000 --cost-usd 1.5
    ap-budget set r a --tokens 0
    [ "$(member token_cap)" -eq 4000 ]
    [ "$(member cost_cap_microusd)" -eq 1500000 ]
    [ "$(member token_cap a)" -eq 0 ]
    run -0 query "SELECT phase_id, detail ->> 'token_cap' FROM events
        WHERE kind = 'budget.set' ORDER BY event_id"
    [ "${lines[0]}" = '|4000' ]
    [ "${lines[1]}" = 'a|0' ]
    run -80 ap-budget report r a --prompt-tokens 1
}

@test "a cap that is raised while a phase waits for room lets it go on" {
    ap-budget reserve r a --tokens 500
    run -80 ap-budget reserve r a --tokens 1
    ap-budget set r a --tokens 501
    run -0 ap-budget reserve r a --tokens 1
}

@test "reserve takes from phase and run, and prints the reservation" {
    run -0 --separate-stderr ap-budget reserve r a --tokens 400 --cost-usd 0.5 --purpose "a call"
    [[ "$output" =~ ^[0-9]+$ ]]
    [ -z "$stderr" ]
    [ "$(query "SELECT tokens, cost_microusd, purpose, status FROM budget_reservations
        WHERE reservation_id = $output")" = '400|500000|a call|OPEN' ]
    [ "$(member tokens_reserved)" -eq 400 ]
    [ "$(member tokens_left a)" -eq 100 ]
    run -0 ap-budget reserve r b --tokens 1 --json
    [ "$(jq .reservation_id <<<"$output")" -eq 2 ]
}

@test "reserve says which budget has how much left, with status 80" {
    run -80 --separate-stderr ap-budget reserve r a --tokens 501
    [ -z "$output" ]
    [ "$stderr" = "ap-budget: phase 'a' of run 'r' has 500 of 500 tokens left, 501 asked for" ]
    ap-budget reserve r --tokens 700
    run -80 --separate-stderr ap-budget reserve r a --tokens 301
    [ "$stderr" = "ap-budget: run 'r' has 300 of 1000 tokens left, 301 asked for" ]
    run -80 --separate-stderr ap-budget reserve r --cost-usd 2.01
    [ "$stderr" = 'ap-budget: run '"'r'"' has $2.0000 of $2.0000 left, $2.0100 asked for' ]
    run -0 ap-budget reserve r a --tokens 300
    run -80 ap-budget reserve r --tokens 1
}

@test "settle replaces a reservation by what was used, more or less" {
    first=$(ap-budget reserve r a --tokens 300 --cost-usd 1)
    second=$(ap-budget reserve r b --tokens 300)
    third=$(ap-budget reserve r b --tokens 100)
    run -0 --separate-stderr ap-budget settle "$first" --prompt-tokens 90 \
        --completion-tokens 10 --cost-usd 0.25 --model m --provider p
    [ -z "$output$stderr" ]
    ap-budget settle "$second" --completion-tokens 333
    ap-budget settle "$third" --release
    [ "$(member tokens_used)" -eq 433 ]
    [ "$(member tokens_reserved)" -eq 0 ]
    [ "$(member cost_reserved_microusd)" -eq 0 ]
    [ "$(member cost_used_microusd)" -eq 250000 ]
    [ "$(query "SELECT group_concat(settled_tokens) FROM budget_reservations")" = '100,333,0' ]
    [ "$(query "SELECT group_concat(reservation_id || source || model)
        FROM llm_usage_events")" = "${first}settlem,${second}settle" ]
    ap-db check
}

@test "a reservation is settled once" {
    id=$(ap-budget reserve r a --tokens 300)
    ap-budget settle "$id" --prompt-tokens 7
    for words in "--prompt-tokens 7" --release; do
        # shellcheck disable=SC2086
        run -65 --separate-stderr ap-budget settle "$id" $words
        [[ "$stderr" == *"reservation $id"* ]]
    done
    [ "$(member tokens_used)" -eq 7 ]
}

@test "a reservation outlives the process that made it" {
    bash -c 'ap-budget reserve r a --tokens 500 >/dev/null; kill -9 $$' || true
    ap-db cleanup
    run -80 ap-budget reserve r a --tokens 1
}

@test "64 processes that race for the last 1,000 tokens never overshoot by one" {
    ap-budget set r --tokens 5000000
    ap-budget set r a --tokens 5000000
    ap-budget report r a --prompt-tokens 4999000
    racer() {
        while ap-budget reserve r a --tokens "$1" >>won 2>>lost; do
            echo "$1" >>amounts
        done
    }
    for racer in {1..64}; do
        racer $((racer % 13 + 11)) 3>&- &
    done
    wait
    total=$(($(paste -sd+ amounts)))
    # All of them were refused in the end, so less is left than the least asked for.
    [ "$total" -le 1000 ]
    [ "$total" -gt $((1000 - 11)) ]
    [ "$(member tokens_reserved)" -eq "$total" ]
    [ "$(member tokens_reserved a)" -eq "$total" ]
    [ "$(member tokens_left)" -eq $((1000 - total)) ]
    [ "$(sort -u won | wc -l)" -eq "$(wc -l <amounts)" ]
    [ "$(grep -vc 'tokens left' lost)" -eq 0 ]
    ap-db check
}

@test "racing settlements and reports count every token once" {
    ap-budget set r --tokens 5000000
    ap-budget set r a --tokens 5000000
    for number in {1..24}; do
        {
            id=$(ap-budget reserve r a --tokens 1000)
            ap-budget settle "$id" --prompt-tokens "$number"
            ap-budget report r a --completion-tokens "$number"
        } 3>&- &
    done
    wait
    [ "$(member tokens_used a)" -eq $((2 * 24 * 25 / 2)) ]
    [ "$(member tokens_reserved)" -eq 0 ]
    ap-db check
}

@test "watch prints the totals when they change, and ends with the run" {
    ap-budget watch r --interval 10ms >out 2>err 3>&- &
    watcher=$!
    wait_until test -s out
    ap-budget report r a --prompt-tokens 100 --cost-usd 0.5
    wait_until grep -q '^100 of' out
    ap-ctl abort r
    wait "$watcher"
    [ "$(cat out)" = "0 of 1000 tokens used, 0 reserved, \$0.0000
100 of 1000 tokens used, 0 reserved, \$0.5000" ]
    [ ! -s err ]
    run -0 ap-budget watch r --json
    [ "$(jq .tokens_used <<<"$output")" -eq 100 ]
    [ "${#lines[@]}" -eq 1 ]
}

@test "watch of a run that ended over its budget is status 80" {
    ap-budget report r a --prompt-tokens 1001 || true
    ap-ctl abort r
    run -80 ap-budget watch r
}

@test "warnings are given once at 80 % and again after the cap was raised" {
    ap-run create - >/dev/null <<'PLAN'
{"run_id": "w", "token_cap": 1000, "phases": [{"id": "a", "command":
    "for i in 1 2 3 4; do ap-budget report w a --prompt-tokens 200; sleep 0.3; done"}]}
PLAN
    run -0 --separate-stderr ap-exec --quiet --run-id w
    [ "$(grep -c 'the run has used 80 % of its budget' <<<"$stderr")" -eq 1 ]
    [ "$(query "SELECT count(*) FROM events WHERE kind = 'budget.warning'")" -eq 1 ]
    [ "$(ap-budget show w --json | jq -s '.[0].warned')" = true ]
    ap-budget set w --tokens 2000
    [ "$(ap-budget show w --json | jq -s '.[0].warned')" = false ]
}

@test "the options reach the database that --db and AUTOPACK_DB name" {
    mkdir elsewhere
    AUTOPACK_DB=$PWD/elsewhere/x.db ap-run create --run-id s - >/dev/null <<'PLAN'
{"phases": [{"id": "a", "command": "true"}]}
PLAN
    ap-budget report s a --prompt-tokens 1 --db elsewhere/x.db
    AUTOPACK_DB=elsewhere/x.db run -0 ap-budget show s a --json
    [ "$(jq .tokens_used <<<"$output")" -eq 1 ]
    run -66 ap-budget show s
    run -66 --separate-stderr ap-budget show r --db nowhere.db
    [[ "$stderr" == *"ap-db init"* ]]
}

@test "the caps of a day are set, shown, heeded by reservations and taken away" {
    [ "$(ap-budget show-day --json | jq -c '[.token_cap, .cost_cap_microusd]')" = \
        '[null,null]' ]
    ap-budget report r a --prompt-tokens 100 --cost-usd 0.25
    ap-budget set-day --tokens 150 --cost-usd 0.5
    run -80 --separate-stderr ap-budget reserve r a --tokens 51
    [[ "$stderr" == *"50 of 150 tokens left"* ]]
    run -80 ap-budget reserve r a --cost-usd 0.26
    ap-budget reserve r a --tokens 30
    run -0 --separate-stderr ap-budget show-day
    [ -z "$stderr" ]
    today=$(date -u +%F)
    [[ "${lines[0]}" =~ ^\ +DAY\ +CAP\ +USED\ +RESERVED\ +LEFT\ +USE\ +COST\ +COST\ CAP$ ]]
    [[ "${lines[1]}" =~ ^$today\ +150\ +100\ +30\ +20\ +66%\ +\$0\.2500\ +\$0\.5000$ ]]
    [ "$(ap-budget show-day 2020-01-01 --json | jq -c '[.day, .tokens_used, .token_cap]')" = \
        '["2020-01-01",0,150]' ]
    ap-budget set-day --tokens none
    ap-budget reserve r a --tokens 51
    [ "$(ap-budget show-day --json | jq -c '[.token_cap, .cost_cap_microusd]')" = \
        '[null,500000]' ]
    ap-budget set-day --cost-usd none
    ap-budget reserve r a --cost-usd 0.26
    for words in set-day "set-day --tokens x" "set-day r --tokens 1" "show-day yesterday"; do
        # shellcheck disable=SC2086
        run -2 ap-budget $words
    done
}

@test "estimates are listed and reconciled with what the provider says" {
    ap-budget report r a --prompt-tokens 10 --request-id exact
    ap-budget report r a <<'LINES'
{"prompt_tokens": 300, "completion_tokens": 50, "estimated": true, "request_id": "x", "provider": "p", "model": "m"}
{"prompt_tokens": 70, "completion_tokens": 0, "estimated": true, "request_id": "y"}
LINES
    run -0 --separate-stderr ap-budget estimates r
    [ "${#lines[@]}" -eq 3 ]
    [[ "${lines[0]}" =~ ^CALL\ +RECORDED\ +PHASE\ +PROVIDER\ +MODEL\ +INPUT\ +OUTPUT ]]
    [[ "${lines[1]}" =~ ^\ *2\ .*\ a\ +p\ +m\ +300\ +50\ +\$0\.0000\ +- ]]
    [ "$(ap-budget estimates r --json | jq -c '[.call, .phase_id, .request_id]' |
        paste -sd' ')" = '[2,"a","x"] [3,"a","y"]' ]
    ap-budget reconcile r 2 --prompt-tokens 100 --completion-tokens 20
    [ "$(member tokens_used) $(member tokens_used a)" = "200 200" ]
    echo '{"call": "y", "input_tokens": 5, "output_tokens": 5, "cost_usd": 0.5}' |
        ap-budget reconcile r
    [ "$(member tokens_used) $(member cost_used_microusd)" = "140 500000" ]
    ap-budget reconcile r x --prompt-tokens 100 --completion-tokens 20
    [ "$(member tokens_used)" -eq 140 ]
    [ -z "$(ap-budget estimates r --json)" ]
    [ "$(query "SELECT estimated_prompt_tokens FROM usage_reconciliations
        WHERE usage_id = 2")" -eq 300 ]
    ap-db check
}

@test "what is no estimate is not reconciled, and of many calls all are or none" {
    ap-budget report r a --prompt-tokens 10 --request-id exact
    echo '{"prompt_tokens": 300, "estimated": true, "request_id": "x"}' | ap-budget report r a
    run -65 --separate-stderr ap-budget reconcile r exact \
        --prompt-tokens 1 --completion-tokens 1
    [ "$stderr" = "ap-budget: call exact: expected an estimate, got what the provider said" ]
    run -66 ap-budget reconcile r nope --prompt-tokens 1 --completion-tokens 1
    printf '%s\n' '{"call": "x", "prompt_tokens": 1, "completion_tokens": 1}' \
        '{"call": "exact", "prompt_tokens": 1, "completion_tokens": 1}' > told
    run -65 ap-budget reconcile r --file told
    echo '{"call": "x"}' > told
    run -65 --separate-stderr ap-budget reconcile r --file told
    [[ "$stderr" == "ap-budget: told:1: "*"; nothing was reconciled" ]]
    for words in "reconcile r x --prompt-tokens 1" "reconcile r x" \
        "reconcile r --prompt-tokens 1 --completion-tokens 1" \
        "reconcile r x --prompt-tokens 1 --completion-tokens 1 --model m"; do
        # shellcheck disable=SC2086
        run -2 ap-budget $words
    done
    [ "$(member tokens_used)" -eq 310 ]
}
