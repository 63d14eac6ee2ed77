#pragma once

#include "domain/breaker.hh"
#include "domain/breaker_rules.hh"

#include <optional>
#include <string_view>
#include <vector>

namespace ap {

/// Where breakers, the calls in their windows, and their probes are kept. What writes
/// here is called inside a transaction.

/// A breaker as its row has it, with where its window goes on.
struct StoredBreaker
{
    Breaker breaker;
    int64_t window_next = 0;
    bool exists = false; ///< false: never used, all as by default
};

StoredBreaker load_breaker(Sqlite &database, std::string_view name);
std::vector<Breaker> load_breakers(Sqlite &database);

/// Makes the row if it is not there; Error(BadData) if the name is no identifier.
void save_breaker(Sqlite &database, StoredBreaker &stored, UnixMs now);

void clear_window(Sqlite &database, StoredBreaker &stored);
void clear_probes(Sqlite &database, std::string_view name);

/// Puts the call into the window's ring, over the oldest one if it is full.
void note_call(Sqlite &database, StoredBreaker &stored, const BreakerResult &result,
               UnixMs now);
WindowSums sum_window(Sqlite &database, const Breaker &breaker, UnixMs now);

/// Records a probe and returns its id.
int64_t add_probe(Sqlite &database, const Breaker &breaker, ProbeHolder holder,
                  UnixMs now);

/// Takes a probe off the list; false if it is not on it.
bool take_probe(Sqlite &database, std::string_view name, std::optional<int64_t> probe_id);

/// The probes on a breaker's list.
struct Probes
{
    int64_t living = 0;               ///< those that hold a place
    std::vector<int64_t> forgettable; ///< of dead processes, or expired long ago
};

Probes read_probes(Sqlite &database, const Breaker &breaker, UnixMs now);

} // namespace ap
