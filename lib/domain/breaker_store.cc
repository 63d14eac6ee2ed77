#include "domain/breaker_store.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/breaker_config.hh"
#include "sys/process.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr std::string_view state_names[] = {"closed", "open", "half_open", "forced_open",
                                            "disabled"};

// Expired probes whose result may still come; older ones go.
constexpr int64_t most_expired_probes = 64;

constexpr std::string_view breaker_columns =
    "SELECT name, state, reason, failure_count, success_count, times_opened, opened_at, "
    "retry_at, window_next, config FROM circuit_breakers ";

BreakerState state_of(std::string_view name)
{
    const auto *found = std::find(std::begin(state_names), std::end(state_names), name);
    return static_cast<BreakerState>(found - std::begin(state_names));
}

StoredBreaker read_row(const Statement &row)
{
    StoredBreaker stored;
    Breaker &breaker = stored.breaker;
    breaker.name = row.text(0);
    breaker.state = state_of(row.text(1));
    breaker.reason = row.optional_text(2);
    breaker.failure_count = row.integer(3);
    breaker.success_count = row.integer(4);
    breaker.times_opened = row.integer(5);
    breaker.opened_at = row.optional_integer(6);
    breaker.retry_at = row.optional_integer(7);
    stored.window_next = row.integer(8);
    breaker.config = breaker_config_from_json(row.text(9));
    stored.exists = true;
    return stored;
}

} // namespace

std::string_view breaker_state_name(BreakerState state)
{
    return state_names[static_cast<size_t>(state)];
}

StoredBreaker load_breaker(Sqlite &database, std::string_view name)
{
    Statement query = database.prepare(std::string(breaker_columns) + "WHERE name = ?1");
    query.bind_all(name);
    if (query.step()) {
        return read_row(query);
    }
    StoredBreaker unused;
    unused.breaker.name = name;
    return unused;
}

std::vector<Breaker> load_breakers(Sqlite &database)
{
    std::vector<Breaker> breakers;
    Statement query = database.prepare(std::string(breaker_columns) + "ORDER BY name");
    while (query.step()) {
        breakers.push_back(read_row(query).breaker);
    }
    return breakers;
}

void save_breaker(Sqlite &database, StoredBreaker &stored, UnixMs now)
{
    const Breaker &breaker = stored.breaker;
    const std::string config = breaker_config_to_json(breaker.config).dump();
    if (!stored.exists) {
        if (!is_identifier(breaker.name)) {
            throw Error(ExitStatus::BadData, "name of a breaker: expected letters, "
                                             "digits, '.', '_' and '-', got '" +
                                                 printable(breaker.name) + "'");
        }
        // Made closed, so that what follows is a change and becomes an event.
        database
            .prepare("INSERT INTO circuit_breakers (name, config, created_at, "
                     "updated_at) VALUES (?1, ?2, ?3, ?3)")
            .bind_all(breaker.name, config, now)
            .run();
        stored.exists = true;
    }
    database
        .prepare("UPDATE circuit_breakers SET state = ?2, reason = ?3, "
                 "failure_count = ?4, success_count = ?5, times_opened = ?6, "
                 "opened_at = ?7, retry_at = ?8, window_next = ?9, config = ?10, "
                 "updated_at = ?11 WHERE name = ?1")
        .bind_all(breaker.name, breaker_state_name(breaker.state), breaker.reason,
                  breaker.failure_count, breaker.success_count, breaker.times_opened,
                  breaker.opened_at, breaker.retry_at, stored.window_next, config, now)
        .run();
}

void clear_window(Sqlite &database, StoredBreaker &stored)
{
    stored.window_next = 0;
    database.prepare("DELETE FROM circuit_breaker_calls WHERE name = ?1")
        .bind_all(stored.breaker.name)
        .run();
}

void clear_probes(Sqlite &database, std::string_view name)
{
    database.prepare("DELETE FROM circuit_breaker_probes WHERE name = ?1")
        .bind_all(name)
        .run();
}

void note_call(Sqlite &database, StoredBreaker &stored, const BreakerResult &result,
               UnixMs now)
{
    const BreakerConfig &config = stored.breaker.config;
    const int64_t slot = stored.window_next % window_slots(config);
    database
        .prepare("INSERT INTO circuit_breaker_calls "
                 "(name, slot, failed, slow, created_at) VALUES (?1, ?2, ?3, ?4, ?5) "
                 "ON CONFLICT DO UPDATE SET failed = excluded.failed, "
                 "slow = excluded.slow, created_at = excluded.created_at")
        .bind_all(stored.breaker.name, slot, int{result.failed},
                  int{is_slow(config, result)}, now)
        .run();
    stored.window_next = (slot + 1) % window_slots(config);
}

WindowSums sum_window(Sqlite &database, const Breaker &breaker, UnixMs now)
{
    // By time, a call of the future was noted before the clock was set back: nobody can
    // tell how old it is.
    const bool by_calls = breaker.config.window_calls > 0;
    const UnixMs after = by_calls ? INT64_MIN : now - breaker.config.window_ms;
    const UnixMs until = by_calls ? INT64_MAX : now;
    Statement query = database.prepare(
        "SELECT count(*), coalesce(sum(failed), 0), coalesce(sum(slow), 0) "
        "FROM circuit_breaker_calls "
        "WHERE name = ?1 AND created_at > ?2 AND created_at <= ?3");
    query.bind_all(breaker.name, after, until);
    query.step();
    return {query.integer(0), query.integer(1), query.integer(2)};
}

int64_t add_probe(Sqlite &database, const Breaker &breaker, ProbeHolder holder,
                  UnixMs now)
{
    const ProcessIdentity process =
        holder == ProbeHolder::Nobody ? ProcessIdentity{} : ProcessIdentity::self();
    database
        .prepare("INSERT INTO circuit_breaker_probes (name, pid, pid_started, "
                 "expires_at) VALUES (?1, ?2, ?3, ?4)")
        .bind_all(breaker.name, int64_t{process.pid}, process.started,
                  now + breaker.config.probe_ms)
        .run();
    return database.last_insert_id();
}

bool take_probe(Sqlite &database, std::string_view name, std::optional<int64_t> probe_id)
{
    if (!probe_id) {
        return false;
    }
    database
        .prepare("DELETE FROM circuit_breaker_probes WHERE name = ?1 AND probe_id = ?2")
        .bind_all(name, *probe_id)
        .run();
    return database.changes() > 0;
}

Probes read_probes(Sqlite &database, const Breaker &breaker, UnixMs now)
{
    Probes probes;
    int64_t expired = 0;
    const std::string boot_id = ProcessIdentity::self().boot_id;
    Statement query = database.prepare(
        "SELECT probe_id, pid, pid_started, expires_at FROM circuit_breaker_probes "
        "WHERE name = ?1 ORDER BY probe_id DESC");
    query.bind_all(breaker.name);
    while (query.step()) {
        const ProcessIdentity holder = {static_cast<pid_t>(query.integer(1)),
                                        query.integer(2), boot_id};
        const UnixMs left = query.integer(3) - now;
        // More time left than a probe is ever given: the clock was set back.
        const bool is_expired = left <= 0 || left > breaker.config.probe_ms;
        expired += is_expired ? 1 : 0;
        if ((holder.pid != 0 && !is_alive(holder)) ||
            (is_expired && expired > most_expired_probes)) {
            probes.forgettable.push_back(query.integer(0));
        } else if (!is_expired) {
            probes.living++;
        }
    }
    return probes;
}

} // namespace ap
