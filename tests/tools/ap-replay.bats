#!/usr/bin/env bats

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
}

teardown() {
    [ -z "${REPLAY_PID:-}" ] || kill "$REPLAY_PID" 2> /dev/null || true
}

# Writes a recording: record REQUEST RESPONSE [COMPLETE] [STATUS]
record() {
    jq -nc --arg request "$1" --arg response "$2" --argjson complete "${3:-true}" \
        --argjson status "${4:-200}" '{v: 1, at: 1, request_id: "r",
        request: {method: "POST", target: "/v1/messages", fields: [], body: $request},
        response: {status: $status, fields: [["content-type", "text/event-stream"],
            ["request-id", "req_1"], ["connection", "close"]],
            body: $response, complete: $complete}}' >> archive.jsonl
}

start_replay() {
    ap-replay "$@" > replay.out 2> replay.err 3>&- &
    REPLAY_PID=$!
    wait_until [ -s replay.out ]
    URL=$(head -1 replay.out)
}

# Ends it as a person does; its status is in $status.
end_replay() {
    kill "$REPLAY_PID"
    status=0
    wait "$REPLAY_PID" || status=$?
    REPLAY_PID=
}

ask() {
    curl -sS "$URL/v1/messages" -d "$1"
}

@test "a recording is served back to the byte, with its status and fields" {
    record '{"n": 1}' $'event: a\r\ndata: é\r\n\r\n' true 203
    start_replay archive.jsonl
    [[ "$URL" =~ ^http://127\.0\.0\.1:[0-9]+$ ]]
    curl -sS -D head -o body "$URL/v1/messages" -d '{"n": 1}'
    printf 'event: a\r\ndata: é\r\n\r\n' | cmp - body
    grep -q '^HTTP/1.1 203' head
    grep -qi '^content-type: text/event-stream' head
    grep -qi '^request-id: req_1' head
    end_replay
    [ "$status" -eq 0 ]
}

@test "repeats come in order, and what is not recorded is refused with 400" {
    record a 1
    record b x
    record a 2
    start_replay archive.jsonl
    [ "$(ask a)" = 1 ]
    [ "$(ask a)" = 2 ]
    run ask a
    [ "$(jq -r .error.message <<< "$output")" = 'ap-replay: all 2 recordings of POST /v1/messages with this body have been served' ]
    [ "$(curl -s -o answer -w '%{http_code}' "$URL/v1/messages" -d c)" -eq 400 ]
    [ "$(jq -r .error.code answer)" = no_recording ]
    end_replay
    [ "$status" -eq 1 ]
    [ "$(wc -l < replay.err)" -eq 2 ]
    grep -q '^ap-replay: no recording of POST /v1/messages with this body$' replay.err
}

@test "an answer that was cut off is cut off again, after the same bytes" {
    record a 'data: half' false
    start_replay archive.jsonl
    run -18 --separate-stderr ask a
    [ "$output" = 'data: half' ]
}

@test "a member that differs from run to run can be ignored" {
    record '{"model": "m", "metadata": {"user_id": "1"}}' yes
    start_replay --ignore /metadata archive.jsonl
    [ "$(ask '{"model": "m", "metadata": {"user_id": "2"}}')" = yes ]
}

@test "the archives of a whole run are found" {
    mkdir -p run/phases/a/attempt-1 run/phases/b/attempt-1
    record a 1
    mv archive.jsonl run/phases/a/attempt-1
    record b 2
    mv archive.jsonl run/phases/b/attempt-1
    start_replay run
    [ "$(ask b)$(ask a)" = 21 ]
}

@test "status and summary tell what was served" {
    record a 1
    record a 2
    start_replay --json archive.jsonl
    URL=$(jq -r .url replay.out)
    ask a
    ask b > /dev/null
    kill -USR1 "$REPLAY_PID"
    wait_until grep -q '1 of 2 recordings served, 1 requests without one' replay.err
    end_replay
    [ "$(tail -1 replay.out)" = '{"recorded":2,"served":1,"unmatched":1}' ]
}

@test "a client may look whether a provider is there" {
    record a 1
    start_replay archive.jsonl
    curl -sSI "$URL/" | grep -q '^HTTP/1.1 200'
    end_replay
    [ "$status" -eq 0 ]
}

@test "wrong input is refused with one clear line" {
    run -66 --separate-stderr ap-replay absent
    [ "$stderr" = "ap-replay: cannot find 'absent': No such file or directory" ]
    echo nonsense > archive.jsonl
    run -65 --separate-stderr ap-replay archive.jsonl
    [[ "$stderr" == "ap-replay: archive.jsonl:1: "* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
    run -2 ap-replay --listen 0.0.0.0:80 archive.jsonl
    run -2 ap-replay --ignore metadata archive.jsonl
    run -2 ap-replay
}
