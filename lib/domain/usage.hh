#pragma once

#include "domain/budget.hh"
#include "domain/plan.hh"

#include <memory>
#include <string_view>
#include <vector>

namespace ap {

/// Reads token usage out of what an agent's command prints on standard output, as it
/// comes, in pieces of any size. Bounded memory: a line longer than 4 MiB is passed over.
class AgentUsageReader
{
public:
    virtual ~AgentUsageReader() = default;

    /// Takes the next piece of output and returns the usage records that became complete.
    virtual std::vector<Usage> feed(std::string_view piece) = 0;

    /// The output has ended; returns what an unfinished last line still held.
    virtual std::vector<Usage> finish() = 0;
};

/// The reader for `agent`; null for Agent::None.
std::unique_ptr<AgentUsageReader> make_usage_reader(Agent agent);

} // namespace ap
