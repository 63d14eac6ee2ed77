#include "domain/breaker.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/breaker_config.hh"
#include "domain/breaker_rules.hh"
#include "domain/breaker_store.hh"

#include <utility>

namespace ap {

namespace {

// When all probes are out, nobody can know when one comes back: ask again this soon.
constexpr int64_t probe_wait_ms = 1000;

BreakerPermit take_permit(Sqlite &database, StoredBreaker &stored, ProbeHolder holder,
                          UnixMs now)
{
    Breaker &breaker = stored.breaker;
    if (const auto permit = permit_without_probe(breaker, now)) {
        return *permit;
    }
    if (breaker.state != BreakerState::HalfOpen) {
        make_half_open(breaker);
        save_breaker(database, stored, now);
    }
    const Probes probes = read_probes(database, breaker, now);
    for (const int64_t probe_id : probes.forgettable) {
        take_probe(database, breaker.name, probe_id);
    }
    if (probes.living >= breaker.config.half_open_probes) {
        return {false, std::nullopt, now + probe_wait_ms};
    }
    return {true, add_probe(database, breaker, holder, now), std::nullopt};
}

// What a person asks for: the counted past goes with the old state.
template <typename Change>
void change_by_hand(Sqlite &database, std::string_view name, UnixMs now,
                    const Change &change)
{
    in_transaction(database, [&] {
        StoredBreaker stored = load_breaker(database, name);
        change(stored.breaker);
        clear_window(database, stored);
        clear_probes(database, name);
        save_breaker(database, stored, now);
    });
}

[[noreturn]] void no_such_breaker(std::string_view name)
{
    throw Error(ExitStatus::NoInput, "no breaker '" + printable(name) + "'");
}

} // namespace

std::vector<Breaker> Breakers::list()
{
    std::vector<Breaker> breakers = load_breakers(database_);
    for (Breaker &breaker : breakers) {
        breaker.probes = read_probes(database_, breaker, clock_.now()).living;
    }
    return breakers;
}

Breaker Breakers::show(std::string_view name)
{
    StoredBreaker stored = load_breaker(database_, name);
    if (!stored.exists) {
        no_such_breaker(name);
    }
    stored.breaker.probes = read_probes(database_, stored.breaker, clock_.now()).living;
    return stored.breaker;
}

BreakerPermit Breakers::allow(std::string_view name, ProbeHolder holder)
{
    // The usual cases cost one read; only a probe has to be recorded.
    const Breaker seen = load_breaker(database_, name).breaker;
    if (const auto permit = permit_without_probe(seen, clock_.now())) {
        return *permit;
    }
    BreakerPermit permit;
    in_transaction(database_, [&] {
        StoredBreaker stored = load_breaker(database_, name);
        permit = take_permit(database_, stored, holder, clock_.now());
    });
    return permit;
}

void Breakers::report(std::string_view name, const BreakerResult &result)
{
    if (!can_change(load_breaker(database_, name).breaker, result)) {
        return;
    }
    in_transaction(database_, [&] {
        const UnixMs now = clock_.now();
        StoredBreaker stored = load_breaker(database_, name);
        Breaker &breaker = stored.breaker;
        if (!can_change(breaker, result)) {
            return;
        }
        WindowSums window;
        if (breaker.state == BreakerState::Closed && keeps_window(breaker.config)) {
            note_call(database_, stored, result, now);
            window = sum_window(database_, breaker, now);
        }
        const bool is_probe = take_probe(database_, name, result.probe_id);
        const BreakerChange change = note_result(breaker, result, is_probe, window, now);
        if (change == BreakerChange::Opened || change == BreakerChange::Closed) {
            clear_window(database_, stored);
            clear_probes(database_, name);
        }
        if (change != BreakerChange::Nothing) {
            save_breaker(database_, stored, now);
        }
    });
}

void Breakers::success(std::string_view name, int64_t duration_ms,
                       std::optional<int64_t> probe_id)
{
    report(name, {.duration_ms = duration_ms, .probe_id = probe_id});
}

void Breakers::failure(std::string_view name, std::string_view reason,
                       int64_t duration_ms, std::optional<int64_t> probe_id,
                       int64_t retry_after_ms)
{
    report(name, {.failed = true,
                  .reason = reason,
                  .duration_ms = duration_ms,
                  .probe_id = probe_id,
                  .retry_after_ms = retry_after_ms});
}

void Breakers::cancel(std::string_view name, std::optional<int64_t> probe_id)
{
    if (probe_id) {
        in_transaction(database_, [&] { take_probe(database_, name, probe_id); });
    }
}

void Breakers::force_open(std::string_view name, std::string_view reason)
{
    const UnixMs now = clock_.now();
    change_by_hand(database_, name, now,
                   [&](Breaker &breaker) { make_forced_open(breaker, reason, now); });
}

void Breakers::close(std::string_view name)
{
    if (reset(name) == 0) {
        no_such_breaker(name);
    }
}

void Breakers::disable(std::string_view name)
{
    change_by_hand(database_, name, clock_.now(), make_disabled);
}

int64_t Breakers::reset(std::string_view name)
{
    int64_t count = 0;
    in_transaction(database_, [&] {
        std::vector<std::string> names;
        Statement query =
            database_.prepare("SELECT name FROM circuit_breakers WHERE ?1 IN ('', name)");
        query.bind_all(name);
        while (query.step()) {
            names.emplace_back(query.text(0));
        }
        for (const std::string &existing : names) {
            change_by_hand(database_, existing, clock_.now(), make_closed);
        }
        count = static_cast<int64_t>(names.size());
    });
    return count;
}

BreakerConfig Breakers::config(std::string_view name)
{
    return load_breaker(database_, name).breaker.config;
}

void Breakers::configure(std::string_view name, const BreakerConfig &config)
{
    check_breaker_config(config);
    in_transaction(database_, [&] {
        StoredBreaker stored = load_breaker(database_, name);
        const BreakerConfig before = std::exchange(stored.breaker.config, config);
        if (stored.exists && (before.window_calls != config.window_calls ||
                              before.window_ms != config.window_ms)) {
            clear_window(database_, stored);
        }
        save_breaker(database_, stored, clock_.now());
    });
}

Json breaker_to_json(const Breaker &breaker)
{
    const auto instant = [](const std::optional<UnixMs> &at) {
        return at ? std::optional(format_rfc3339(*at)) : std::nullopt;
    };
    Json json = Json::object();
    json.set("name", breaker.name)
        .set("state", breaker_state_name(breaker.state))
        .set("reason", breaker.reason)
        .set("failure_count", breaker.failure_count)
        .set("success_count", breaker.success_count)
        .set("times_opened", breaker.times_opened)
        .set("opened_at", instant(breaker.opened_at))
        .set("retry_at", instant(breaker.retry_at))
        .set("probes", breaker.probes)
        .set("config", breaker_config_to_json(breaker.config));
    return json;
}

Error breaker_refusal(std::string_view name, const BreakerPermit &permit,
                      const Clock &clock)
{
    std::string when = "it is held open until it is closed or reset";
    if (permit.retry_at) {
        const UnixMs wait = std::max<UnixMs>(*permit.retry_at - clock.now(), 0);
        when = "try again in " + format_duration(std::chrono::milliseconds(wait)) + " (" +
               format_local(*permit.retry_at) + ")";
    }
    return {ExitStatus::BreakerOpen,
            "breaker '" + std::string(name) + "' is open; " + when};
}

} // namespace ap
