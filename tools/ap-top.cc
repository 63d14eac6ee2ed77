#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/alerts.hh"
#include "domain/control_request.hh"
#include "domain/run.hh"
#include "sys/screen.hh"

#include <algorithm>

namespace {

using ap::ExitStatus;
using Key = ap::Screen::Key;

constexpr ap::Option options[] = {
    {'1', "once", "", "print it once, plainly"},
    {'i', "interval", "D", "how often to look (default 1s)"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::ToolSpec spec = {.name = "ap-top",
                               .summary = "live view of runs, phases and breakers",
                               .options = options};

constexpr int64_t most_runs = 15;

// A line of the picture that a key can be used on; a phase's, or with none its run's.
struct Target
{
    size_t line = 0;
    std::string run_id, phase_id;
};

struct Picture
{
    std::vector<std::string> lines;
    std::vector<Target> targets;
};

void add_table(Picture &picture, const ap::Table &table)
{
    const std::string text = table.text(); // its last line is empty and sets tables apart
    const auto lines = ap::split(text, '\n');
    picture.lines.insert(picture.lines.end(), lines.begin(), lines.end());
}

std::string use_of(int64_t used, int64_t cap)
{
    const std::string share = cap > 0 ? std::to_string(used * 100 / cap) + "%" : "";
    return ap::format_count(used) + " of " + ap::format_count(cap) + " " + share +
           (cap > 0 && used * 5 >= cap * 4 ? " !" : "");
}

bool is_executing(std::string_view status)
{
    return status == "EXECUTING" || status == "GATE" || status == "CI_RUNNING";
}

void add_runs(Picture &picture, ap::Sqlite &database)
{
    ap::Table table({"RUN / PHASE", "STATUS", "PHASES", "TOKENS", "GOAL / REASON"});
    std::vector<Target> targets;
    for (const ap::RunSummary &run : ap::list_runs(database, {{}, most_runs, {}})) {
        targets.push_back({0, run.run_id, {}});
        table.add({run.run_id, run.status + (run.paused ? " (paused)" : ""),
                   std::to_string(run.phases_complete) + "/" + std::to_string(run.phases),
                   use_of(run.tokens_used, run.token_cap), ap::printable(run.goal, 60)});
        if (run.status != "EXECUTING") {
            continue;
        }
        for (const ap::PhaseSummary &phase : ap::list_phases(database, run.run_id)) {
            if (is_executing(phase.status)) {
                targets.push_back({0, run.run_id, phase.phase_id});
                table.add({"  " + phase.phase_id, phase.status, "",
                           use_of(phase.tokens_used, phase.token_cap),
                           ap::printable(phase.reason.value_or(""), 60)});
            }
        }
    }
    for (Target &target : targets) {
        target.line =
            picture.lines.size() + 1 + static_cast<size_t>(&target - targets.data());
    }
    picture.targets = std::move(targets);
    add_table(picture, table);
}

void add_breakers(Picture &picture, const std::vector<ap::Breaker> &breakers)
{
    ap::Table table({"BREAKER", "STATE", "FAILURES", "RETRY AT"});
    for (const ap::Breaker &breaker : breakers) {
        table.add({breaker.name, std::string(ap::breaker_state_name(breaker.state)),
                   std::to_string(breaker.failure_count),
                   breaker.retry_at ? ap::format_local(*breaker.retry_at) : "-"});
    }
    add_table(picture, table);
}

Picture draw(ap::State &state)
{
    const ap::Health health = ap::read_health(state, {}, ap::SystemClock());
    Picture picture;
    picture.lines.push_back("autopack " + ap::format_local(health.at) + "  " +
                            std::string(health.status()) + ", " +
                            std::to_string(health.executors.size()) + " executors, " +
                            std::to_string(health.pool.checked_out) + " connections");
    for (const ap::Alert &alert : ap::current_alerts(state.database(), health)) {
        picture.lines.push_back("! " + alert.message + " - " + alert.advice);
    }
    picture.lines.emplace_back();
    add_runs(picture, state.database());
    add_breakers(picture, health.breakers);
    return picture;
}

// The verb a key stands for on this line.
std::optional<ap::ControlVerb> verb_of(char letter, const Target &target)
{
    const std::string_view name = letter == 's'                               ? "stop"
                                  : letter == 'a'                             ? "abort"
                                  : letter == 't' && !target.phase_id.empty() ? "timeout"
                                                                              : "";
    return ap::control_verb_of(name);
}

std::string carry_out(ap::State &state, ap::Screen &screen, ap::ControlVerb verb,
                      const Target &target)
{
    const std::string what = std::string(ap::control_verb_name(verb)) + " " +
                             target.run_id + " " + target.phase_id;
    screen.show({what + "? (y/n)"}, SIZE_MAX);
    if (screen.wait(std::chrono::minutes(1)).letter != 'y') {
        return what + ": left";
    }
    try {
        ap::request_control(state, {target.run_id, verb, target.phase_id, {}, "ap-top"},
                            ap::SystemClock());
        return what + ": asked for";
    } catch (const ap::Error &error) {
        return error.what();
    }
}

void watch(ap::State &state, std::chrono::milliseconds interval)
{
    ap::Screen screen;
    size_t chosen = 0;
    std::string message = "up/down choose, s stop, a abort, t time out, q quit";
    while (true) {
        Picture picture = draw(state);
        picture.lines.insert(picture.lines.begin() + 1, message);
        chosen =
            std::min(chosen, picture.targets.size() - (picture.targets.empty() ? 0 : 1));
        const bool any = !picture.targets.empty();
        screen.show(picture.lines, any ? picture.targets[chosen].line + 1 : SIZE_MAX);
        const ap::Screen::Press press = screen.wait(interval);
        if (press.key == Key::Ended || press.letter == 'q') {
            return;
        }
        if (press.key == Key::Down || press.letter == 'j') {
            chosen++;
        } else if ((press.key == Key::Up || press.letter == 'k') && chosen > 0) {
            chosen--;
        } else if (any) {
            const Target &target = picture.targets[chosen];
            if (const auto verb = verb_of(press.letter, target)) {
                message = carry_out(state, screen, *verb, target);
            }
        }
    }
}

ExitStatus top(const ap::Arguments &arguments)
{
    const std::string word = arguments.value("interval").value_or("1s");
    const auto interval = ap::parse_duration(word);
    if (!interval || interval->count() == 0) {
        throw ap::UsageError("--interval: expected a duration such as 2s, got '" + word +
                             "'");
    }
    using Access = ap::State::Access;
    const Access access = arguments.has("once") ? Access::Read : Access::Write;
    ap::State state(ap::state_paths(arguments.value("db")), access, spec.name);
    if (access == Access::Write) {
        watch(state, *interval);
        return ExitStatus::Done;
    }
    for (const std::string &line : draw(state).lines) {
        ap::print(line + "\n");
    }
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, top);
}
