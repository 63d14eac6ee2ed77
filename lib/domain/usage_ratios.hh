#pragma once

#include "domain/call_ratios.hh"
#include "domain/dialect.hh"
#include "wrap/sqlite.hh"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ap {

/// The ratios of all models, each as it was asked for in one dialect, in memory and in
/// the table model_ratios: a gateway that starts goes on with what the last one knew, at
/// most what it learned in its last second is lost.
class UsageRatios
{
public:
    using Key = std::pair<Dialect, std::string>;
    static constexpr size_t most_models = 512; ///< of others nothing is learned

    void add(Dialect dialect, std::string_view model, const CallSample &sample);

    /// Null if nothing is known. Valid until the next load().
    const CallRatios *find(Dialect dialect, std::string_view model) const;

    /// What the database has.
    void load(Sqlite &database);

    /// What was added to since the last time, to be saved.
    using Changed = std::vector<std::pair<Key, CallRatios>>;
    Changed take_changed();
    static void save(Sqlite &database, const Changed &changed);

    /// What the database has of one model, and one call more of it, for those who make
    /// few calls; a gateway that learns of the same model at the time may not keep that.
    static CallRatios stored(Sqlite &database, Dialect dialect, std::string_view model);
    static void learn(Sqlite &database, Dialect dialect, std::string_view model,
                      const CallSample &sample);

private:
    struct Entry
    {
        CallRatios ratios;
        bool changed = false;
    };
    struct Less
    {
        using is_transparent = void;
        template <typename A, typename B>
        bool operator()(const A &a, const B &b) const
        {
            return std::pair(a.first, std::string_view(a.second)) <
                   std::pair(b.first, std::string_view(b.second));
        }
    };
    std::map<Key, Entry, Less> models_;
};

} // namespace ap
