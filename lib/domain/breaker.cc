#include "domain/breaker.hh"

#include "sys/process.hh"

#include <algorithm>
#include <cmath>
#include <unistd.h>

namespace ap {

namespace {

// A window by time keeps at most this many calls; older ones are overwritten.
constexpr int64_t time_window_slots = 1024;

constexpr std::string_view state_names[] = {"closed", "open", "half_open", "forced_open",
                                            "disabled"};

// One field of BreakerConfig with its range; the table feeds JSON, reading and checking.
struct IntegerField
{
    std::string_view name;
    int64_t BreakerConfig::*field;
    int64_t low;
    int64_t high;
};

struct RealField
{
    std::string_view name;
    double BreakerConfig::*field;
    double low;
    double high;
};

constexpr int64_t longest_ms = 7 * 86'400'000;

constexpr IntegerField integer_fields[] = {
    {"failure_threshold", &BreakerConfig::failure_threshold, 0, 1'000'000},
    {"success_threshold", &BreakerConfig::success_threshold, 1, 1'000'000},
    {"open_ms", &BreakerConfig::open_ms, 1, longest_ms},
    {"probe_ms", &BreakerConfig::probe_ms, 1, longest_ms},
    {"longest_open_ms", &BreakerConfig::longest_open_ms, 1, longest_ms},
    {"half_open_probes", &BreakerConfig::half_open_probes, 1, 1000},
    {"window_calls", &BreakerConfig::window_calls, 0, 100'000},
    {"window_ms", &BreakerConfig::window_ms, 0, longest_ms},
    {"minimum_calls", &BreakerConfig::minimum_calls, 1, 100'000},
    {"slow_ms", &BreakerConfig::slow_ms, 0, longest_ms},
};

constexpr RealField real_fields[] = {
    {"backoff_factor", &BreakerConfig::backoff_factor, 1.0, 100.0},
    {"failure_rate", &BreakerConfig::failure_rate, 0.01, 1.0},
    {"slow_rate", &BreakerConfig::slow_rate, 0.01, 1.0},
};

BreakerState state_of(std::string_view name)
{
    const auto *found = std::find(std::begin(state_names), std::end(state_names), name);
    return static_cast<BreakerState>(found - std::begin(state_names));
}

Json config_to_json(const BreakerConfig &config)
{
    Json json = Json::object();
    for (const IntegerField &field : integer_fields) {
        json.set(field.name, config.*field.field);
    }
    for (const RealField &field : real_fields) {
        json.set(field.name, Json::real(config.*field.field));
    }
    return json;
}

BreakerConfig config_from_json(std::string_view text)
{
    const Json json = Json::parse(text, "breaker configuration");
    BreakerConfig config;
    for (const IntegerField &field : integer_fields) {
        config.*field.field = json.get_integer(field.name).value_or(config.*field.field);
    }
    for (const RealField &field : real_fields) {
        if (const Json value = json.get(field.name); value.is_number()) {
            config.*field.field = value.as_number();
        }
    }
    return config;
}

void check_config(const BreakerConfig &config)
{
    const auto refuse = [](std::string_view name, const auto &low, const auto &high,
                           const auto &value) {
        throw Error(ExitStatus::BadData,
                    std::string(name) + ": expected " + std::to_string(low) + " to " +
                        std::to_string(high) + ", got " + std::to_string(value));
    };
    for (const IntegerField &field : integer_fields) {
        const int64_t value = config.*field.field;
        if (value < field.low || value > field.high) {
            refuse(field.name, field.low, field.high, value);
        }
    }
    for (const RealField &field : real_fields) {
        const double value = config.*field.field;
        if (!(value >= field.low && value <= field.high)) {
            refuse(field.name, field.low, field.high, value);
        }
    }
}

// The stored breaker with what only one call inside a transaction needs.
class StoredBreaker
{
public:
    StoredBreaker(Sqlite &database, const Clock &clock, std::string_view name)
        : database_(database)
        , now_(clock.now())
    {
        breaker_.name = name;
        Statement query = database_.prepare(
            "SELECT state, reason, failure_count, success_count, times_opened, "
            "opened_at, "
            "retry_at, window_next, config FROM circuit_breakers WHERE name = ?1");
        query.bind_all(name);
        exists_ = query.step();
        if (!exists_) {
            return;
        }
        breaker_.state = state_of(query.text(0));
        breaker_.reason = query.optional_text(1);
        breaker_.failure_count = query.integer(2);
        breaker_.success_count = query.integer(3);
        breaker_.times_opened = query.integer(4);
        breaker_.opened_at = query.optional_integer(5);
        breaker_.retry_at = query.optional_integer(6);
        window_next_ = query.integer(7);
        breaker_.config = config_from_json(query.text(8));
        if (breaker_.state == BreakerState::HalfOpen) {
            breaker_.probes = count_probes();
        }
    }

    bool exists() const noexcept { return exists_; }
    Breaker &get() noexcept { return breaker_; }
    UnixMs now() const noexcept { return now_; }

    void save()
    {
        const std::string config = config_to_json(breaker_.config).dump();
        if (!exists_) {
            // Made closed, so that the change below is a change and becomes an event.
            database_
                .prepare("INSERT INTO circuit_breakers (name, config, created_at, "
                         "updated_at) VALUES (?1, ?2, ?3, ?3)")
                .bind_all(breaker_.name, config, now_)
                .run();
            exists_ = true;
        }
        database_
            .prepare("UPDATE circuit_breakers SET state = ?2, reason = ?3, "
                     "failure_count = ?4, success_count = ?5, times_opened = ?6, "
                     "opened_at = ?7, retry_at = ?8, window_next = ?9, config = ?10, "
                     "updated_at = ?11 WHERE name = ?1")
            .bind_all(breaker_.name, breaker_state_name(breaker_.state), breaker_.reason,
                      breaker_.failure_count, breaker_.success_count,
                      breaker_.times_opened, breaker_.opened_at, breaker_.retry_at,
                      window_next_, config, now_)
            .run();
    }

    void become_closed()
    {
        breaker_.state = BreakerState::Closed;
        breaker_.reason.reset();
        breaker_.failure_count = 0;
        breaker_.success_count = 0;
        breaker_.times_opened = 0;
        breaker_.opened_at.reset();
        breaker_.retry_at.reset();
        clear_window();
        clear_probes();
    }

    void become_open(std::string_view reason, int64_t retry_after_ms)
    {
        const BreakerConfig &config = breaker_.config;
        const double grown =
            static_cast<double>(config.open_ms) *
            std::pow(config.backoff_factor, static_cast<double>(breaker_.times_opened));
        const auto open_ms = static_cast<int64_t>(
            std::min(grown, static_cast<double>(config.longest_open_ms)));
        breaker_.state = BreakerState::Open;
        breaker_.reason = reason;
        breaker_.times_opened++;
        breaker_.success_count = 0;
        breaker_.opened_at = now_;
        breaker_.retry_at = now_ + std::max(open_ms, retry_after_ms);
        clear_window();
        clear_probes();
    }

    // Whether an open breaker may be tried again. A breaker opened in what is now the
    // future was opened before the clock was set back: its time cannot be told, so it is.
    bool is_due() const
    {
        return now_ >= breaker_.retry_at.value_or(0) ||
               now_ < breaker_.opened_at.value_or(0);
    }

    void note_call(bool failed, int64_t duration_ms)
    {
        const BreakerConfig &config = breaker_.config;
        const int64_t slots =
            config.window_calls > 0 ? config.window_calls : time_window_slots;
        if (config.window_calls == 0 && config.window_ms == 0) {
            return;
        }
        database_
            .prepare("INSERT OR REPLACE INTO circuit_breaker_calls "
                     "(name, slot, failed, slow, created_at) VALUES (?1, ?2, ?3, ?4, ?5)")
            .bind_all(breaker_.name, window_next_ % slots, int{failed},
                      int{config.slow_ms > 0 && duration_ms >= config.slow_ms}, now_)
            .run();
        window_next_ = (window_next_ + 1) % slots;
    }

    // Which rate is too high over the window, for the reason; empty if none.
    std::string tripping_rate()
    {
        const BreakerConfig &config = breaker_.config;
        if (config.window_calls == 0 && config.window_ms == 0) {
            return {};
        }
        const int64_t since =
            config.window_calls > 0 ? INT64_MIN : now_ - config.window_ms;
        Statement query = database_.prepare(
            "SELECT count(*), total(failed), total(slow) FROM circuit_breaker_calls "
            "WHERE name = ?1 AND created_at > ?2");
        query.bind_all(breaker_.name, since);
        query.step();
        const auto calls = static_cast<double>(query.integer(0));
        if (query.integer(0) < config.minimum_calls) {
            return {};
        }
        if (static_cast<double>(query.integer(1)) >= config.failure_rate * calls) {
            return "failure rate over the window";
        }
        if (config.slow_ms > 0 &&
            static_cast<double>(query.integer(2)) >= config.slow_rate * calls) {
            return "slow-call rate over the window";
        }
        return {};
    }

    int64_t add_probe()
    {
        const ProcessIdentity self = ProcessIdentity::self();
        database_
            .prepare("INSERT INTO circuit_breaker_probes (name, pid, pid_started, "
                     "expires_at) VALUES (?1, ?2, ?3, ?4)")
            .bind_all(breaker_.name, int64_t{self.pid}, self.started,
                      now_ + breaker_.config.probe_ms)
            .run();
        return database_.last_insert_id();
    }

    // Gives a probe back; false if it is not under way (any more).
    bool take_probe(std::optional<int64_t> probe_id)
    {
        if (!probe_id) {
            return false;
        }
        database_
            .prepare(
                "DELETE FROM circuit_breaker_probes WHERE name = ?1 AND probe_id = ?2")
            .bind_all(breaker_.name, *probe_id)
            .run();
        return database_.changes() > 0;
    }

    // Probes that were not reported in time are given up: nothing is known of the
    // service.
    void forget_lost_probes()
    {
        database_
            .prepare("DELETE FROM circuit_breaker_probes WHERE name = ?1 "
                     "AND (expires_at <= ?2 OR expires_at > ?2 + ?3)")
            .bind_all(breaker_.name, now_, breaker_.config.probe_ms)
            .run();
        breaker_.probes = count_probes();
    }

private:
    int64_t count_probes()
    {
        Statement query = database_.prepare(
            "SELECT count(*) FROM circuit_breaker_probes WHERE name = ?1");
        query.bind_all(breaker_.name);
        query.step();
        return query.integer(0);
    }

    void clear_window()
    {
        window_next_ = 0;
        database_.prepare("DELETE FROM circuit_breaker_calls WHERE name = ?1")
            .bind_all(breaker_.name)
            .run();
    }

    void clear_probes()
    {
        breaker_.probes = 0;
        database_.prepare("DELETE FROM circuit_breaker_probes WHERE name = ?1")
            .bind_all(breaker_.name)
            .run();
    }

    Sqlite &database_;
    UnixMs now_;
    Breaker breaker_;
    int64_t window_next_ = 0;
    bool exists_ = false;
};

std::vector<std::string> breaker_names(Sqlite &database)
{
    Statement query = database.prepare("SELECT name FROM circuit_breakers ORDER BY name");
    std::vector<std::string> names;
    while (query.step()) {
        names.emplace_back(query.text(0));
    }
    return names;
}

} // namespace

std::string_view breaker_state_name(BreakerState state)
{
    return state_names[static_cast<size_t>(state)];
}

std::vector<Breaker> Breakers::list()
{
    std::vector<Breaker> breakers;
    for (const std::string &name : breaker_names(database_)) {
        breakers.push_back(StoredBreaker(database_, clock_, name).get());
    }
    return breakers;
}

Breaker Breakers::show(std::string_view name)
{
    StoredBreaker stored(database_, clock_, name);
    if (!stored.exists()) {
        throw Error(ExitStatus::NoInput, "no breaker '" + std::string(name) + "'");
    }
    return stored.get();
}

BreakerPermit Breakers::allow(std::string_view name)
{
    // The usual case costs a read: a closed breaker has nothing to record.
    const BreakerState before = StoredBreaker(database_, clock_, name).get().state;
    if (before == BreakerState::Closed || before == BreakerState::Disabled) {
        return {true, std::nullopt, std::nullopt};
    }
    BreakerPermit permit;
    in_transaction(database_, [&] {
        StoredBreaker stored(database_, clock_, name);
        Breaker &breaker = stored.get();
        if (breaker.state == BreakerState::Open && stored.is_due()) {
            breaker.state = BreakerState::HalfOpen;
            breaker.success_count = 0;
            stored.save();
        }
        if (breaker.state == BreakerState::HalfOpen) {
            stored.forget_lost_probes();
            permit.allowed = breaker.probes < breaker.config.half_open_probes;
            if (permit.allowed) {
                permit.probe_id = stored.add_probe();
            } else {
                permit.retry_at = stored.now() + 1000;
            }
        } else if (breaker.state == BreakerState::Open) {
            permit.retry_at = breaker.retry_at;
        } else {
            permit.allowed = breaker.state != BreakerState::ForcedOpen;
        }
    });
    return permit;
}

void Breakers::success(std::string_view name, int64_t duration_ms,
                       std::optional<int64_t> probe_id)
{
    in_transaction(database_, [&] {
        StoredBreaker stored(database_, clock_, name);
        Breaker &breaker = stored.get();
        if (breaker.state == BreakerState::Closed) {
            const bool windowed =
                breaker.config.window_calls > 0 || breaker.config.window_ms > 0;
            if (!windowed && breaker.failure_count == 0) {
                return; // nothing would change
            }
            breaker.failure_count = 0;
            stored.save();
            stored.note_call(false, duration_ms);
            if (const std::string rate = stored.tripping_rate(); !rate.empty()) {
                stored.become_open(rate, 0);
            }
        } else if (breaker.state == BreakerState::HalfOpen &&
                   stored.take_probe(probe_id)) {
            breaker.success_count++;
            breaker.failure_count = 0;
            if (breaker.success_count >= breaker.config.success_threshold) {
                stored.become_closed();
            }
        } else {
            return; // a late answer to a question nobody asks any more
        }
        stored.save();
    });
}

void Breakers::failure(std::string_view name, std::string_view reason,
                       int64_t duration_ms, std::optional<int64_t> probe_id,
                       int64_t retry_after_ms)
{
    in_transaction(database_, [&] {
        StoredBreaker stored(database_, clock_, name);
        Breaker &breaker = stored.get();
        if (breaker.state == BreakerState::Closed) {
            breaker.failure_count++;
            stored.save();
            stored.note_call(true, duration_ms);
            const int64_t threshold = breaker.config.failure_threshold;
            const std::string rate = stored.tripping_rate();
            if (threshold > 0 && breaker.failure_count >= threshold) {
                stored.become_open(
                    std::to_string(breaker.failure_count) +
                        " failures in a row, the last: " + std::string(reason),
                    retry_after_ms);
            } else if (!rate.empty()) {
                stored.become_open(rate, retry_after_ms);
            }
        } else if (breaker.state == BreakerState::HalfOpen &&
                   stored.take_probe(probe_id)) {
            breaker.failure_count++;
            stored.become_open("the probe failed: " + std::string(reason),
                               retry_after_ms);
        } else {
            return;
        }
        stored.save();
    });
}

void Breakers::cancel(std::string_view name, std::optional<int64_t> probe_id)
{
    if (probe_id) {
        in_transaction(database_, [&] {
            StoredBreaker(database_, clock_, name).take_probe(probe_id);
        });
    }
}

void Breakers::force_open(std::string_view name, std::string_view reason)
{
    in_transaction(database_, [&] {
        StoredBreaker stored(database_, clock_, name);
        stored.save();
        stored.become_open(reason, 0);
        stored.get().state = BreakerState::ForcedOpen;
        stored.get().retry_at.reset();
        stored.save();
    });
}

void Breakers::close(std::string_view name)
{
    in_transaction(database_, [&] {
        StoredBreaker stored(database_, clock_, name);
        stored.become_closed();
        stored.save();
    });
}

void Breakers::disable(std::string_view name)
{
    in_transaction(database_, [&] {
        StoredBreaker stored(database_, clock_, name);
        stored.become_closed();
        stored.get().state = BreakerState::Disabled;
        stored.save();
    });
}

int64_t Breakers::reset(std::string_view name)
{
    int64_t count = 0;
    in_transaction(database_, [&] {
        for (const std::string &existing : breaker_names(database_)) {
            if (name.empty() || name == existing) {
                StoredBreaker stored(database_, clock_, existing);
                stored.become_closed();
                stored.save();
                count++;
            }
        }
    });
    return count;
}

void Breakers::configure(std::string_view name, const BreakerConfig &config)
{
    check_config(config);
    in_transaction(database_, [&] {
        StoredBreaker stored(database_, clock_, name);
        stored.get().config = config;
        stored.save();
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
        .set("config", config_to_json(breaker.config));
    return json;
}

} // namespace ap
