#include "domain/plan_reader.hh"

#include <algorithm>
#include <array>

namespace ap {

namespace {

constexpr auto launchers = std::to_array<std::string_view>({"local", "slurm"});

constexpr int64_t most_cpus = 65536;

struct SlurmWord
{
    std::string_view name;
    std::string SlurmRequest::*member;
};

constexpr auto slurm_words =
    std::to_array<SlurmWord>({{"partition", &SlurmRequest::partition},
                              {"account", &SlurmRequest::account},
                              {"qos", &SlurmRequest::qos},
                              {"reservation", &SlurmRequest::reservation},
                              {"constraint", &SlurmRequest::constraint},
                              {"gres", &SlurmRequest::gres},
                              {"mem", &SlurmRequest::mem}});

constexpr auto members_of_slurm = std::to_array<std::string_view>(
    {"partition", "account", "qos", "reservation", "constraint", "gres", "mem", "cpus"});

} // namespace

std::span<const std::string_view> launcher_names()
{
    return launchers;
}

std::string_view launcher_name(LauncherKind launcher)
{
    return launchers.at(static_cast<size_t>(launcher));
}

std::optional<LauncherKind> launcher_from_name(std::string_view name)
{
    const auto *found = std::find(launchers.begin(), launchers.end(), name);
    if (found == launchers.end()) {
        return std::nullopt;
    }
    return static_cast<LauncherKind>(found - launchers.begin());
}

std::span<const std::string_view> slurm_members()
{
    return members_of_slurm;
}

void read_launcher(ObjectReader &reader, PhaseSpec &phase)
{
    if (const auto chosen = reader.choice("launcher", launchers)) {
        phase.launcher = static_cast<LauncherKind>(*chosen);
    }
    if (!reader.has("slurm")) {
        return;
    }
    ObjectReader request(reader.get("slurm"), reader.pointer_to("slurm"),
                         members_of_slurm, reader.faults());
    for (const SlurmWord &word : slurm_words) {
        phase.slurm.*word.member = request.label(word.name).value_or("");
    }
    if (const auto cpus = request.integer("cpus", 1, most_cpus)) {
        phase.slurm.cpus = static_cast<int>(*cpus);
    }
}

void set_launcher(Json &json, const PhaseSpec &phase)
{
    if (phase.launcher) {
        json.set("launcher", launcher_name(*phase.launcher));
    }
    Json request = Json::object();
    for (const SlurmWord &word : slurm_words) {
        if (const std::string &value = phase.slurm.*word.member; !value.empty()) {
            request.set(word.name, value);
        }
    }
    if (phase.slurm.cpus) {
        request.set("cpus", *phase.slurm.cpus);
    }
    if (request.size() > 0) {
        json.set("slurm", request);
    }
}

} // namespace ap
