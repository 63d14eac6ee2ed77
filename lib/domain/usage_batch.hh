#pragma once

#include "domain/budget.hh"
#include "domain/usage_report.hh"

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace ap {

/// Usage of many calls that is recorded in one transaction of the caller's: a row for
/// each call, and the totals written once for all of them, where record_usage() lets a
/// trigger write them for each. The transaction must not be committed without
/// write_sums().
class UsageBatch
{
public:
    explicit UsageBatch(Sqlite &database)
        : database_(database)
    {
    }

    /// Inserts a row as of `at` and keeps what it adds to the totals; false if its
    /// request_id was recorded before. Throws Error(NoInput) if the run or phase does not
    /// exist.
    bool add(const UsageOrigin &origin, const Usage &usage, UnixMs at);

    /// Adds what was kept to the totals of runs, phases, days, hours and models.
    void write_sums();

private:
    struct Key
    {
        std::string run_id;
        std::string phase_id;
        std::string model;
        UnixMs hour_at = 0;

        auto fields() const { return std::tie(hour_at, run_id, phase_id, model); }
        bool operator<(const Key &other) const { return fields() < other.fields(); }
    };
    const std::string &phase_name(const UsageOrigin &origin);
    void write(const Key &key, const UsageSums &sums);

    Sqlite &database_;
    std::map<Key, UsageSums> sums_;
    std::map<std::pair<std::string, std::string>, std::string> names_; ///< of phases
};

} // namespace ap
