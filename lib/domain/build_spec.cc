#include "domain/build_spec.hh"

#include "base/text.hh"

#include <algorithm>
#include <array>

namespace ap {

namespace {

using std::chrono::milliseconds;

constexpr auto complexities = std::to_array<std::string_view>({"low", "medium", "high"});
constexpr auto stuck_policies =
    std::to_array<std::string_view>({"review", "skip", "fail"});
constexpr auto known_failures = std::to_array<std::string_view>({"fix", "accept"});
constexpr auto merge_policies =
    std::to_array<std::string_view>({"fast-forward", "commit"});
constexpr auto risks = std::to_array<std::string_view>({"none", "low", "medium", "high"});

constexpr auto members_of_build = std::to_array<std::string_view>(
    {"scope", "read_only", "acceptance", "category", "complexity", "risk_limit", "models",
     "context_tokens", "on_stuck", "approval_timeout", "known_failures",
     "check_retries"});
constexpr auto members_of_models =
    std::to_array<std::string_view>({"builder", "auditor"});

constexpr auto kinds_of_work =
    std::to_array<std::string_view>({"command", "goal", "merge"});

// What says how a command is started and what it makes; the suite's own program needs
// none of it.
constexpr auto members_of_command =
    std::to_array<std::string_view>({"agent", "agent_template", "outputs", "stdin"});

constexpr int64_t most_retries = 100;
constexpr int64_t least_context = 1000;
constexpr int64_t largest_context = 1'000'000;

bool is_criterion(std::string_view text)
{
    return !trim(text).empty();
}

bool is_pattern(std::string_view text)
{
    const auto pieces = split(text, '/');
    return !text.empty() && text.front() != '/' &&
           std::find(pieces.begin(), pieces.end(), "..") == pieces.end();
}

// The index of the member's value in `names`; `otherwise` if it is missing or faulty.
size_t one_of(ObjectReader &reader, std::string_view member,
              std::span<const std::string_view> names, size_t otherwise)
{
    const Json value = reader.get(member);
    if (!value) {
        return otherwise;
    }
    const auto found = std::find(names.begin(), names.end(),
                                 value.is_string() ? value.as_string() : std::string());
    if (found == names.end()) {
        std::string expected;
        for (size_t i = 0; i < names.size(); i++) {
            expected += i == 0 ? "" : i + 1 == names.size() ? " or " : ", ";
            expected += names[i];
        }
        reader.faults().expected(reader.pointer_to(member), expected, value);
        return otherwise;
    }
    return static_cast<size_t>(found - names.begin());
}

void read_models(ObjectReader &phase_reader, BuildSpec &build)
{
    if (!phase_reader.has("models")) {
        return;
    }
    ObjectReader reader(phase_reader.get("models"), phase_reader.pointer_to("models"),
                        members_of_models, phase_reader.faults());
    build.builder_model = reader.label("builder").value_or("");
    build.auditor_model = reader.label("auditor").value_or("");
}

void refuse(ObjectReader &reader, std::span<const std::string_view> members,
            const std::string &why)
{
    for (const std::string_view member : members) {
        if (reader.has(member)) {
            reader.faults().add(reader.pointer_to(member), why);
        }
    }
}

} // namespace

std::string_view complexity_name(Complexity complexity)
{
    return complexities.at(static_cast<size_t>(complexity));
}

std::string_view stuck_policy_name(StuckPolicy policy)
{
    return stuck_policies.at(static_cast<size_t>(policy));
}

std::optional<Complexity> complexity_from(std::string_view name)
{
    const auto *found = std::find(complexities.begin(), complexities.end(), name);
    return found == complexities.end()
               ? std::nullopt
               : std::optional(static_cast<Complexity>(found - complexities.begin()));
}

std::span<const std::string_view> build_members()
{
    return members_of_build;
}

std::span<const std::string_view> models_members()
{
    return members_of_models;
}

std::string_view merge_policy_name(MergePolicy policy)
{
    return merge_policies.at(static_cast<size_t>(policy));
}

void check_kind_of_work(ObjectReader &reader)
{
    std::string_view found;
    for (const std::string_view kind : kinds_of_work) {
        if (!reader.has(kind)) {
            continue;
        }
        if (!found.empty()) {
            reader.faults().add(
                reader.pointer_to(kind),
                "expected one of \"command\", \"goal\" and \"merge\", got \"" +
                    std::string(found) + "\", too");
        }
        found = kind;
    }
    if (found.empty()) {
        reader.require("command");
    } else if (found != "command") {
        refuse(reader, members_of_command,
               "expected a \"command\" beside it, got a \"" + std::string(found) + "\"");
    }
}

std::optional<MergePolicy> read_merge(ObjectReader &reader)
{
    return reader.has("merge") ? std::optional(static_cast<MergePolicy>(
                                     one_of(reader, "merge", merge_policies, 0)))
                               : std::nullopt;
}

std::optional<BuildSpec> read_build(ObjectReader &reader)
{
    if (!reader.has("goal")) {
        refuse(reader, members_of_build, "expected a \"goal\" beside it, got none");
        return std::nullopt;
    }
    BuildSpec build;
    build.goal = reader.text("goal").value_or("");
    if (reader.get("goal").is_string() && trim(build.goal).empty()) {
        reader.faults().expected(reader.pointer_to("goal"), "words", reader.get("goal"));
    }
    build.scope =
        reader.strings("scope", "a relative pattern without \"..\"", is_pattern);
    build.read_only =
        reader.strings("read_only", "a relative pattern without \"..\"", is_pattern);
    build.acceptance = reader.strings("acceptance", "words", is_criterion);
    build.category = reader.identifier("category").value_or(build.category);
    build.complexity = static_cast<Complexity>(one_of(
        reader, "complexity", complexities, static_cast<size_t>(build.complexity)));
    build.risk_limit = risks.at(one_of(reader, "risk_limit", risks, 2));
    build.context_tokens =
        reader.integer("context_tokens", least_context, largest_context);
    build.on_stuck = static_cast<StuckPolicy>(
        one_of(reader, "on_stuck", stuck_policies, static_cast<size_t>(build.on_stuck)));
    build.known_failures =
        static_cast<KnownFailures>(one_of(reader, "known_failures", known_failures,
                                          static_cast<size_t>(build.known_failures)));
    build.check_retries = static_cast<int>(
        reader.integer("check_retries", 0, most_retries).value_or(build.check_retries));
    build.approval_timeout = reader.duration("approval_timeout", milliseconds(1))
                                 .value_or(build.approval_timeout);
    read_models(reader, build);
    return build;
}

void set_build(Json &phase, const BuildSpec &build)
{
    phase.set("goal", build.goal)
        .set("scope", strings_to_json(build.scope))
        .set("read_only", strings_to_json(build.read_only))
        .set("acceptance", strings_to_json(build.acceptance))
        .set("category", build.category)
        .set("complexity", complexity_name(build.complexity))
        .set("risk_limit", build.risk_limit)
        .set("known_failures",
             known_failures.at(static_cast<size_t>(build.known_failures)))
        .set("check_retries", build.check_retries)
        .set("on_stuck", stuck_policy_name(build.on_stuck))
        .set("approval_timeout",
             Json::real(static_cast<double>(build.approval_timeout.count()) / 1000.0));
    if (build.context_tokens) {
        phase.set("context_tokens", *build.context_tokens);
    }
    Json models = Json::object();
    if (!build.builder_model.empty()) {
        models.set("builder", build.builder_model);
    }
    if (!build.auditor_model.empty()) {
        models.set("auditor", build.auditor_model);
    }
    phase.set("models", models);
}

} // namespace ap
