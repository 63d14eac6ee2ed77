# What the bats files of the builder pipeline need: `load common`, `load mock` first.

# A repository of one C file, in ./repo, with the database beside it.
make_repository() {
    git init -q -b main repo
    git -C repo config user.name Tester
    git -C repo config user.email tester@localhost
    mkdir repo/src
    printf '#include <stdio.h>\n\nint main(void)\n{\n    puts("hello");\n    return 0;\n}\n' \
        > repo/src/hello.c
    git -C repo add .
    git -C repo commit -q -m 'Say hello'
}

# Models without a gateway, of which `big` is stronger than `small`.
use_mock_models() {
    export AUTOPACK_GATE_URL='' AUTOPACK_LLM_CONFIG=$PWD/llm.json
    export AUTOPACK_MODELS=$PWD/models.json OPENAI_API_KEY=sk-real
    export AUTOPACK_RUN_TOKEN_CAP=10000000
    jq -n --arg url "$MOCK_URL/v1" '{default_model: "small", providers: {mock: {
        dialect: "openai", models: ["small", "big", "judge", "planner"],
        base_url: $url, key_variable: "OPENAI_API_KEY"}}}' > llm.json
    cat > models.json << 'END'
{"builder": [{"models": ["small", "big"], "max_output": 4000}],
 "auditor": [{"models": ["judge"], "max_output": 2000}],
 "planner": [{"models": ["planner"], "max_output": 4000}]}
END
}

# script ENTRY...: what the mock answers, an entry of script.py each
script() {
    printf '%s\n' "$@" | jq -s . > script.json
}

# says MODEL TEXT [MEMBERS]: an entry for a call of the model
says() {
    jq -n --arg model "$1" --arg text "$2" "{model: \$model, text: \$text} + ${3:-{\}}"
}

approves() {
    says judge '{"verdict": "approve", "issues": []}' "${1:-{\}}"
}

# edit PATH OLD NEW: an answer of one search and replace block
edit() {
    printf '%s\n<<<<<<< SEARCH\n%s\n=======\n%s\n>>>>>>> REPLACE\n' "$1" "$2" "$3"
}

# create_run MEMBERS [MORE_PHASES]: the run r whose phase a has a goal
create_run() {
    local members=$1
    # A test that fails is not to wait for a person.
    [[ "$members" == *on_stuck* ]] || members+=', "on_stuck": "fail"'
    printf '{"run_id": "r", "phases": [{"id": "a", "cwd": "repo", "goal": "Say good bye",
        "scope": ["src"], "backoff": {"first": 0}%s}%s]}' "$members" "${2:-}" > plan.json
    ap-run create plan.json > /dev/null
}

committed() {
    git -C repo show "autopack/r:$1"
}
