#include "base/text.hh"
#include "cli/live_lines.hh"
#include "cli/tool.hh"
#include "domain/executor.hh"

#include <cstdio>
#include <memory>
#include <unistd.h>

namespace {

constexpr ap::Option options[] = {
    {'r', "run-id", "RUN", "the run to execute (required)"},
    {'j', "jobs", "N", "phases at once (default: AUTOPACK_JOBS or 1)"},
    {'l', "launcher", "NAME", "local or slurm (default: AUTOPACK_LAUNCHER or local)"},
    {'s', "stop-on-first-failure", "", "start no phase after one has failed"},
    {'1', "once", "", "execute at most one attempt, then exit"},
    {'q', "quiet", "", "print nothing but warnings"},
    {0, "json", "", "print events as JSON lines"},
    {0, "db", "PATH", "database (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::ToolSpec spec = {.name = "ap-exec",
                               .summary = "execute a run's phases durably, under budget",
                               .options = options};

std::string warning_line(const ap::ExecutorEvent &event)
{
    return (event.phase_id.empty() ? "" : "phase " + event.phase_id + ": ") +
           event.message;
}

class PlainObserver final : public ap::ExecutorObserver
{
public:
    explicit PlainObserver(bool quiet)
        : quiet_(quiet)
    {
    }

    void event(const ap::ExecutorEvent &event) override
    {
        if (event.kind == "warning") {
            ap::warn(warning_line(event));
        } else if (!quiet_) {
            ap::print(ap::executor_event_line(event) + "\n");
            static_cast<void>(std::fflush(stdout));
        }
    }
    void status(const std::string &text) override { ap::warn(text); }

private:
    bool quiet_;
};

// A line for each attempt that has ended; below them what executes, and how far the run
// is.
class LiveObserver final : public ap::ExecutorObserver
{
public:
    void event(const ap::ExecutorEvent &event) override
    {
        if (event.kind == "warning") {
            status(warning_line(event));
        } else if (event.kind != "phase.started" && event.kind != "phase.checks") {
            lines_.print_above(coloured(event.status, ap::executor_event_line(event)));
        }
    }

    void status(const std::string &text) override
    {
        if (isatty(STDERR_FILENO) != 0) {
            lines_.print_above(std::string(spec.name) + ": " + text);
        } else {
            ap::warn(text);
        }
    }

    std::optional<std::chrono::milliseconds> refresh_interval() const override
    {
        return std::chrono::milliseconds(250);
    }

    void refresh(const ap::ExecutorRunView &run,
                 const std::vector<ap::ExecutorPhaseView> &phases) override
    {
        const auto of_cap = [](int64_t tokens, int64_t cap) {
            return ap::format_count(tokens) + " of " + ap::format_count(cap) + " tokens";
        };
        std::vector<std::string> lines;
        lines.reserve(phases.size() + 1);
        for (const ap::ExecutorPhaseView &phase : phases) {
            lines.push_back("phase " + phase.phase_id +
                            (phase.checking ? ": checking " : ": executing ") +
                            ap::format_duration(phase.elapsed) + ", " +
                            of_cap(phase.tokens, phase.token_cap));
        }
        lines.push_back(ap::progress_bar(run.phases_complete, run.phases, 24) + " " +
                        std::to_string(run.phases_complete) + " of " +
                        std::to_string(run.phases) + " phases, " +
                        of_cap(run.tokens, run.token_cap));
        lines_.draw(std::move(lines));
    }

private:
    // The line with its status in green or red.
    std::string coloured(std::string_view status, std::string line) const
    {
        if (const size_t at = line.find(status); colour_ && !status.empty()) {
            const bool well = status == "SUCCEEDED" || status == "DONE_SUCCESS";
            line.insert(at + status.size(), "\x1b[m");
            line.insert(at, well ? "\x1b[32m" : "\x1b[31m");
        }
        return line;
    }

    bool colour_ = ap::use_colour(STDOUT_FILENO);
    ap::LiveLines lines_;
};

class JsonObserver final : public ap::ExecutorObserver
{
public:
    explicit JsonObserver(std::string run_id)
        : run_id_(std::move(run_id))
    {
    }

    void event(const ap::ExecutorEvent &event) override
    {
        ap::Json line =
            ap::executor_event_to_json(event, run_id_, ap::SystemClock().now());
        ap::print(line.dump() + "\n");
        static_cast<void>(std::fflush(stdout));
    }
    void status(const std::string &text) override { ap::warn(text); }

private:
    std::string run_id_;
};

std::unique_ptr<ap::ExecutorObserver> make_observer(const ap::Arguments &arguments,
                                                    const std::string &run_id)
{
    if (arguments.has("json")) {
        return std::make_unique<JsonObserver>(run_id);
    }
    if (!arguments.has("quiet") && ap::can_redraw(STDOUT_FILENO)) {
        return std::make_unique<LiveObserver>();
    }
    return std::make_unique<PlainObserver>(arguments.has("quiet"));
}

std::optional<ap::LauncherKind> launcher_from(const ap::Arguments &arguments)
{
    const auto chosen = arguments.choice("launcher", ap::launcher_names());
    return chosen ? std::optional(static_cast<ap::LauncherKind>(*chosen)) : std::nullopt;
}

ap::ExitStatus execute(const ap::Arguments &arguments)
{
    const auto run_id = arguments.value("run-id");
    if (!run_id) {
        throw ap::UsageError("--run-id is required");
    }
    ap::ExecutorOptions executor_options = {
        .run_id = *run_id,
        .jobs = arguments.integer("jobs", 1, ap::Config::most_jobs),
        .launcher = launcher_from(arguments),
        .stop_on_first_failure = arguments.has("stop-on-first-failure"),
        .once = arguments.has("once")};
    ap::State state(ap::state_paths(arguments.value("db")), ap::State::Access::Write,
                    spec.name);
    return ap::Executor(state, std::move(executor_options),
                        *make_observer(arguments, *run_id), ap::SystemClock())
        .run();
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, execute);
}
