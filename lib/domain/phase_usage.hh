#pragma once

#include "domain/budget.hh"
#include "domain/usage.hh"
#include "sys/fifo_spool.hh"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The usage that a phase under way reports: through its FIFO, and in the output of an
/// agent that is known.
class PhaseUsage
{
public:
    struct Report
    {
        Usage usage;
        std::string_view source; ///< fifo or stdout
    };

    /// `reader` reads the command's standard output; null if nothing is read there.
    explicit PhaseUsage(std::unique_ptr<AgentUsageReader> reader)
        : reader_(std::move(reader))
    {
    }

    /// Takes what has come through the FIFO; `last` when nobody writes to it any more.
    /// Returns whether there was a line.
    bool read_fifo(FifoSpool &spool, bool last);

    /// The same from a spool file that others fill.
    bool read_tail(SpoolTail &tail, bool last);

    /// Takes a piece of the command's standard output, and its end.
    void read_output(std::string_view piece);
    void end_output();

    bool has_reports() const noexcept { return !reports_.empty(); }

    /// The reports since the last call.
    std::vector<Report> take_reports();

    /// How much of the spool the reports taken so far stand for. To be committed together
    /// with them.
    int64_t taken_to() const noexcept { return taken_to_; }

    /// Messages about lines that were no reports, since the last call.
    std::vector<std::string> take_complaints();

private:
    void take_line(std::string_view line);
    void refuse_overlong(std::string_view line) { complain(line, "longer than 64 KiB"); }
    void complain(std::string_view line, std::string_view why);

    std::unique_ptr<AgentUsageReader> reader_;
    std::vector<Report> reports_;
    std::vector<std::string> complaints_;
    int64_t read_to_ = 0;
    int64_t taken_to_ = 0;
};

} // namespace ap
