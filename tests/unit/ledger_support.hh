#pragma once

#include "check.hh"
#include "support.hh"

#include "domain/gateway_ledger.hh"
#include "domain/gateway_recovery.hh"
#include "domain/state.hh"

#include <poll.h>

namespace check {

/// An installation of its own with runs and phases that have nothing but budgets.
class Installation
{
public:
    Installation()
    {
        paths_.directory = directory_.path();
        paths_.database = directory_.file("autopack.db");
        paths_.runs = directory_.file("runs");
        ap::Sqlite made = ap::open_database(paths_, ap::State::Access::Create);
        ap::migrate(made, ap::migrations());
    }

    const ap::StatePaths &paths() const { return paths_; }

    ap::Sqlite open() const
    {
        ap::Sqlite database = ap::open_database(paths_, ap::State::Access::Write);
        database.execute("PRAGMA foreign_keys = ON");
        return database;
    }

    /// A run, or a phase of one, with a cap in tokens and perhaps in micro-dollars.
    void budget(std::string_view run_id, std::string_view phase_id, int64_t tokens,
                std::optional<int64_t> microusd = std::nullopt) const
    {
        ap::Sqlite database = open();
        database
            .prepare("INSERT INTO runs (run_id, plan, created_at) VALUES (?1, '{}', 1) "
                     "ON CONFLICT DO NOTHING")
            .bind_all(run_id)
            .run();
        database
            .prepare("INSERT INTO budgets (run_id, phase_id, token_cap, "
                     "cost_cap_microusd) VALUES (?1, ?2, ?3, ?4)")
            .bind_all(run_id, phase_id, tokens, microusd)
            .run();
    }

    int64_t number(std::string_view sql) const { return open().query_integer(sql); }

private:
    TemporaryDirectory directory_;
    ap::StatePaths paths_;
};

/// A call of run "r", phase "p".
inline ap::LedgerCall call_of(std::string_view request_id, int64_t input, int64_t output)
{
    ap::LedgerCall call;
    call.run_id = "r";
    call.phase_id = "p";
    call.request_id = request_id;
    call.provider = "mock";
    call.model = "m";
    call.input = input;
    call.output_wanted = call.output_enough = output;
    call.output_least = std::min<int64_t>(output, 16);
    return call;
}

inline ap::Usage usage_of(int64_t input, int64_t output)
{
    ap::Usage usage;
    usage.prompt_tokens = input;
    usage.completion_tokens = output;
    return usage;
}

/// An answer of which the provider has told all that was seen.
inline ap::MeterProgress seen(std::optional<int64_t> input, int64_t output)
{
    return {input, output, output, output, false};
}

/// Waits for the next answers; none if there is no answer in time.
inline std::vector<ap::Admission> next_answers(ap::GatewayLedger &ledger, int limit_ms)
{
    pollfd polled = {ledger.answers_fd(), POLLIN, 0};
    return ::poll(&polled, 1, limit_ms) > 0 ? ledger.take_answers()
                                            : std::vector<ap::Admission>{};
}

/// Admits a call and waits for the answer if there is none at once. For tests with one
/// caller.
inline ap::Admission admitted(ap::GatewayLedger &ledger, const ap::LedgerCall &call)
{
    const ap::Admission first = ledger.admit(call);
    if (first.state != ap::Admission::State::Waiting) {
        return first;
    }
    const std::vector<ap::Admission> answers = next_answers(ledger, 20'000);
    if (answers.size() != 1 || answers.front().call != first.call) {
        throw std::logic_error("no answer, or another's");
    }
    return answers.front();
}

} // namespace check
