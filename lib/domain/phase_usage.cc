#include "domain/phase_usage.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <utility>

namespace ap {

bool PhaseUsage::read_fifo(FifoSpool &spool, bool last)
{
    const int64_t before = spool.read_to();
    const auto on_line = [this](std::string_view line) { take_line(line); };
    const auto on_overlong = [this](std::string_view line) { refuse_overlong(line); };
    if (last) {
        spool.finish(on_line, on_overlong);
    } else {
        spool.read_lines(on_line, on_overlong);
    }
    read_to_ = spool.read_to();
    return read_to_ > before;
}

bool PhaseUsage::read_tail(SpoolTail &tail, bool last)
{
    const int64_t before = tail.read_to();
    tail.read_lines(
        last, [this](std::string_view line) { take_line(line); },
        [this](std::string_view line) { refuse_overlong(line); });
    read_to_ = tail.read_to();
    return read_to_ > before;
}

void PhaseUsage::take_line(std::string_view line)
{
    try {
        reports_.push_back({usage_from_json(Json::parse(line, "usage")), "fifo"});
    } catch (const Error &error) {
        complain(line, error.what());
    }
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
