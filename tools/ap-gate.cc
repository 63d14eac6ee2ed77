#include "cli/tool.hh"
#include "domain/state.hh"
#include "net/gate_service.hh"
#include "sys/path.hh"
#include "wrap/heap.hh"

#include <cstdlib>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'c', "config", "FILE",
     "configuration (default: AUTOPACK_GATE_CONFIG or ap-gate.conf)"},
    {'C', "check", "", "read the configuration and exit"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::ToolSpec spec = {.name = "ap-gate",
                               .summary = "the LLM gateway that cannot overspend",
                               .options = options};

// The option, the variable, or a file beside the database.
std::string config_path(const ap::Arguments &arguments, const ap::StatePaths &paths)
{
    if (const auto given = arguments.value("config")) {
        return ap::absolute_path(*given);
    }
    const char *variable = std::getenv("AUTOPACK_GATE_CONFIG");
    return variable != nullptr && *variable != '\0'
               ? ap::absolute_path(variable)
               : ap::join_path(paths.directory, "ap-gate.conf");
}

ExitStatus serve(const ap::Arguments &arguments)
{
    const ap::StatePaths paths = ap::state_paths(arguments.value("db"));
    const std::string path = config_path(arguments, paths);
    const ap::GateService service = {
        .paths = paths,
        .config_path = path,
        .config = ap::load_gate_config(path),
        .tell = [](const std::string &line) { ap::warn(line); }};
    if (!arguments.has("check")) {
        ap::keep_freed_memory(); // the ledger's cycles take and free some hundred KiB
        ap::run_gate(service);
    }
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, serve);
}
