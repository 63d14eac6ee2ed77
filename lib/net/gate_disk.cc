#include "net/gate_disk.hh"

#include "domain/breaker_rules.hh"
#include "sys/path.hh"

#include <algorithm>
#include <future>
#include <utility>

namespace ap {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto remembered = 500ms;
constexpr size_t most_remembered = 4096;
constexpr size_t most_waiting = 65536;

// Whether a success would change nothing, so that it need not be reported.
bool is_quiet(const Breaker &breaker)
{
    return breaker.state == BreakerState::Closed && breaker.failure_count == 0 &&
           !keeps_window(breaker.config);
}

// A breaker never used is closed, with the defaults.
Breaker look(Breakers &breakers, const std::string &name)
{
    try {
        return breakers.show(name);
    } catch (const Error &error) {
        if (error.status() != ExitStatus::NoInput) {
            throw;
        }
        Breaker unused;
        unused.name = name;
        return unused;
    }
}

} // namespace

// What a job found, or why it could not.
struct GateDisk::Answer
{
    std::optional<CapabilityOwner> owner;
    BreakerPermit permit{.allowed = true};
    Breaker breaker;
    std::optional<CallRecord> kept;
    std::string trouble;
};

GateDisk::GateDisk(const StatePaths &paths)
    : state_(paths, State::Access::Write, "ap-gate")
    , breakers_(state_.database(), clock_)
    , answers_(join_path(paths.runs, ".autopack-gate-cache")) // in no backup
    , worker_(most_waiting)
{
}

// What was reported and archived is written before the thread ends.
GateDisk::~GateDisk()
{
    std::promise<void> written;
    const bool waits = worker_.submit([&written] {
        written.set_value();
        return [] {};
    });
    if (waits) {
        written.get_future().wait();
    }
}

template <typename Work>
void GateDisk::post(Work work, const std::function<void(Answer &)> &then)
{
    const auto answer = std::make_shared<Answer>();
    const auto job = [this, answer, work = std::move(work), then] {
        try {
            work(*answer);
        } catch (const std::exception &error) {
            answer->trouble = error.what();
        }
        return [this, answer, then] {
            trouble_ = answer->trouble;
            if (then) {
                then(*answer);
            }
        };
    };
    if (!worker_.submit(job)) {
        trouble_ = answer->trouble = "the disk does not keep up";
        if (then) {
            then(*answer);
        }
    }
}

void GateDisk::forget_old()
{
    if (owners_.size() > most_remembered) {
        owners_.clear();
    }
    if (seen_.size() > most_remembered) {
        seen_.clear();
    }
}

void GateDisk::find_owner(std::string_view key, OwnerThen then)
{
    std::string name(key);
    const auto known = owners_.find(name);
    if (known != owners_.end() && Steady::now() - known->second.at < remembered) {
        then(known->second.owner);
        return;
    }
    post(
        [this, name](Answer &answer) {
            answer.owner = capability_owner(state_.database(), name);
        },
        [this, name, then = std::move(then)](Answer &answer) {
            if (answer.owner) {
                owners_[name] = {*answer.owner, Steady::now()};
            } else {
                owners_.erase(name);
            }
            forget_old();
            then(answer.owner);
        });
}

void GateDisk::see(const std::string &name, const Breaker &breaker)
{
    seen_[name] = {breaker, Steady::now(), false};
    forget_old();
}

void GateDisk::look_again(const std::string &name, Seen &seen)
{
    if (std::exchange(seen.asking, true)) {
        return;
    }
    post([this, name](Answer &answer) { answer.breaker = look(breakers_, name); },
         [this, name](Answer &answer) {
             if (answer.trouble.empty()) {
                 see(name, answer.breaker);
             } else if (const auto it = seen_.find(name); it != seen_.end()) {
                 it->second.asking = false;
             }
         });
}

void GateDisk::ask_breaker(const std::string &name, PermitThen then)
{
    const auto found = seen_.find(name);
    if (found == seen_.end()) {
        ask_database(name, std::move(then));
        return;
    }
    Seen &seen = found->second;
    const bool fresh = Steady::now() - seen.at < remembered;
    switch (seen.breaker.state) {
    case BreakerState::Closed:
    case BreakerState::Disabled:
        if (!fresh) {
            look_again(name, seen);
        }
        then({.allowed = true});
        return;
    case BreakerState::Open:
        if (fresh && seen.breaker.retry_at && *seen.breaker.retry_at > clock_.now()) {
            then({.allowed = false, .retry_at = seen.breaker.retry_at});
            return;
        }
        break;
    case BreakerState::HalfOpen:
    case BreakerState::ForcedOpen:
        break;
    }
    ask_database(name, std::move(then));
}

void GateDisk::ask_database(const std::string &name, PermitThen then)
{
    post(
        [this, name](Answer &answer) {
            answer.permit = breakers_.allow(name);
            answer.breaker = look(breakers_, name);
        },
        [this, name, then = std::move(then)](Answer &answer) {
            if (answer.trouble.empty()) {
                see(name, answer.breaker);
            }
            then(answer.permit);
        });
}

void GateDisk::report(const std::string &name, const BreakerResult &result,
                      const std::string &reason)
{
    const auto seen = seen_.find(name);
    if (!result.failed && !result.probe_id && !result.slow_ms && seen != seen_.end() &&
        is_quiet(seen->second.breaker)) {
        return;
    }
    post(
        [this, name, result, reason](Answer &answer) {
            BreakerResult reported = result;
            reported.reason = reason;
            breakers_.report(name, reported);
            answer.breaker = look(breakers_, name);
        },
        [this, name](Answer &answer) {
            if (answer.trouble.empty()) {
                see(name, answer.breaker);
            }
        });
}

void GateDisk::cancel_probe(const std::string &name, std::optional<int64_t> probe_id)
{
    if (probe_id) {
        post([this, name, probe_id](Answer &) { breakers_.cancel(name, probe_id); },
             nullptr);
    }
}

void GateDisk::archive(const std::string &directory,
                       std::shared_ptr<const CallRecord> record)
{
    post([directory, record = std::move(record)](
             Answer &) { append_call_record(directory, *record); },
         nullptr);
}

void GateDisk::find_answer(const std::string &key, AnswerThen then)
{
    post([this, key](Answer &answer) { answer.kept = answers_.find(key); },
         [then = std::move(then)](Answer &answer) { then(answer.kept); });
}

void GateDisk::keep_answer(const std::string &key,
                           std::shared_ptr<const CallRecord> answer, int64_t most)
{
    post([this, key, answer = std::move(answer),
          most](Answer &) { answers_.keep(key, *answer, most); },
         nullptr);
}

void GateDisk::note_hit(const CapabilityOwner &owner, const Usage &usage)
{
    post(
        [this, owner, usage](Answer &) {
            record_usage(state_.database(),
                         {owner.run_id, owner.phase_id, owner.attempt, "gateway", {}},
                         usage, clock_);
        },
        nullptr);
}

void GateDisk::touch()
{
    post([this](Answer &) { state_.touch(); }, nullptr);
}

} // namespace ap
