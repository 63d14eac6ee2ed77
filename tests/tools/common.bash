# What many bats files need: `load common` first.

# wait_until COMMAND...: polls for its success, thirty seconds at most
wait_until() {
    local deadline=$((SECONDS + 30))
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.01
    done
}

# query SQL: asks autopack.db, however busy it is
query() {
    sqlite3 -cmd '.timeout 10000' autopack.db "$1"
}
