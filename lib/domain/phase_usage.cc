#include "domain/phase_usage.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <utility>

namespace ap {

bool PhaseUsage::read_fifo(FifoSpool &spool, bool last)
{
    bool any = false;
    const auto on_line = [&](std::string_view line) {
        any = true;
        try {
            reports_.push_back({usage_from_json(Json::parse(line, "usage")), "fifo"});
        } catch (const Error &error) {
            complain(line, error.what());
        }
    };
    const auto on_overlong = [&](std::string_view line) {
        complain(line, "longer than 64 KiB");
    };
    if (last) {
        spool.finish(on_line, on_overlong);
    } else {
        spool.read_lines(on_line, on_overlong);
    }
    read_to_ = spool.read_to();
    return any;
}

void PhaseUsage::read_output(std::string_view piece)
{
    if (reader_) {
        for (Usage &usage : reader_->feed(piece)) {
            reports_.push_back({std::move(usage), "stdout"});
        }
    }
}

void PhaseUsage::end_output()
{
    if (reader_) {
        for (Usage &usage : reader_->finish()) {
            reports_.push_back({std::move(usage), "stdout"});
        }
    }
}

std::vector<PhaseUsage::Report> PhaseUsage::take_reports()
{
    taken_to_ = read_to_;
    return std::exchange(reports_, {});
}

std::vector<std::string> PhaseUsage::take_complaints()
{
    return std::exchange(complaints_, {});
}

void PhaseUsage::complain(std::string_view line, std::string_view why)
{
    complaints_.push_back("usage report '" + printable(line, 80) +
                          "' ignored: " + std::string(why));
}

} // namespace ap
