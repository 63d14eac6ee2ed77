#include "domain/build_verdict.hh"

#include "sys/path.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <array>

namespace ap {

namespace {

constexpr auto next_names =
    std::to_array<std::string_view>({"retry", "fail", "skip", "wait"});
constexpr size_t largest_verdict = 65536;

} // namespace

std::string verdict_path(const std::string &directory)
{
    return join_path(directory, "verdict.json");
}

void write_build_verdict(const std::string &directory, const BuildVerdict &verdict)
{
    Json json = Json::object();
    json.set("next", next_names.at(static_cast<size_t>(verdict.next)))
        .set("reason", verdict.reason)
        .set("until", verdict.until);
    make_directories(directory, 0700);
    write_file_atomically(verdict_path(directory), json.dump_pretty());
}

std::optional<BuildVerdict> read_build_verdict(const std::string &directory)
{
    const std::string path = verdict_path(directory);
    const auto json = path_exists(path)
                          ? Json::try_parse(read_file(path, largest_verdict))
                          : std::nullopt;
    if (!json) {
        return std::nullopt;
    }
    const auto *next = std::find(next_names.begin(), next_names.end(),
                                 json->get_string("next").value_or(""));
    const auto reason = json->get_string("reason");
    if (next == next_names.end() || !reason) {
        return std::nullopt;
    }
    return BuildVerdict{static_cast<PhaseNext>(next - next_names.begin()), *reason,
                        json->get_integer("until")};
}

} // namespace ap
