#pragma once

#include "domain/dialect.hh"
#include "domain/prices.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// Names an admitted or waiting call. Never reused within a process.
using CallId = uint64_t;

/// What is asked to be admitted.
struct LedgerCall
{
    std::string_view run_id;
    std::string_view phase_id;
    std::optional<int64_t> attempt;    ///< its number within the phase
    std::optional<int64_t> attempt_id; ///< to note a budget refusal for ap-exec
    std::string_view request_id;       ///< unique; at most 63 bytes, cut beyond
    std::string_view provider;         ///< at most 31 bytes, cut beyond
    std::string_view model;            ///< at most 95 bytes, cut beyond
    const ModelFacts *facts = nullptr; ///< null: tokens only, cost 0. Not kept.

    Dialect dialect = Dialect::Other;
    int64_t input = 0; ///< the input is at most so many tokens
    /// That bound is one of bytes (estimate_call()), not a provider's count.
    bool input_from_bytes = true;
    /// Output of all choices together: what is wanted, what is accepted without waiting
    /// for more (<= wanted), and the least that makes sense (<= enough). For a client's
    /// own max_tokens enough is wanted; for a guessed limit it may be what the model
    /// usually needs.
    int64_t output_wanted = 0;
    int64_t output_enough = 0;
    int64_t output_least = 0;
    uint64_t tag = 0;      ///< the caller's own number for it, which an Admission repeats
    bool streamed = false; ///< its output shows as it comes (observe)
    bool hidden_output = false; ///< not all output shows, see CallEstimate
};

/// Why a call was refused.
enum class Refusal {
    None,
    PhaseBudget, ///< the phase's cap: nothing in flight could make room
    RunBudget,
    DayBudget,
    Timeout,   ///< calls in flight kept the room for longer than a call waits
    Busy,      ///< more calls in flight than the journal has slots
    NoAccount, ///< no such run or phase
    Failed,    ///< the database cannot be written; try again later
};

/// The answer to a call.
struct Admission
{
    enum class State { Admitted, Waiting, Refused };

    State state = State::Refused;
    CallId call = 0;    ///< 0 if refused
    int64_t output = 0; ///< admitted: output tokens of all choices it may make
    Refusal refusal = Refusal::None;
    std::string reason; ///< refused: one line for people, with the figures
    uint64_t tag = 0;   ///< the call's
};

/// What the books hold now, for metrics and status.
struct LedgerStatus
{
    int64_t admitted = 0; ///< since the start
    int64_t waited = 0;   ///< of those, calls that had to wait
    int64_t clamped = 0;  ///< of those, calls given less than was wanted
    int64_t refused = 0;  ///< for a budget
    int64_t settled = 0;
    int64_t over_delivered = 0; ///< tokens providers gave beyond what was reserved
    int64_t commits = 0;
    int64_t in_flight = 0;
    int64_t waiting = 0;
    int64_t unwritten = 0; ///< settled, not yet durable
    int64_t accounts = 0;
    std::string trouble; ///< why the database cannot be written; empty if it can
};

} // namespace ap
