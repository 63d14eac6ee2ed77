#include "cli/tool.hh"
#include "net/serve_client.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {0, "json", "", "print JSON"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"status", "", "print how many addresses the login limiter tracks", 0, 0},
};

constexpr ap::ToolSpec spec = {.name = "ap-limit",
                               .summary = "state of the login rate limiter",
                               .options = options,
                               .verbs = verbs};

ExitStatus status(const ap::Arguments &arguments)
{
    const ap::Json health =
        ap::ask_server(ap::state_paths(arguments.value("db")), ap::by_serve, "/health");
    const ap::Json limiter = health.get("rate_limiter");
    if (!limiter.is_object()) {
        throw ap::Error(ExitStatus::Unavailable, "the server does not tell");
    }
    if (arguments.has("json")) {
        ap::print(limiter.dump() + "\n");
        return ExitStatus::Done;
    }
    const auto number = [&](std::string_view name) {
        return std::to_string(limiter.get_integer(name).value_or(0));
    };
    ap::print("Tracked IPs: " + number("tracked_ips") + "\nBlocked IPs: " +
              number("blocked_ips") + "\nAt most: " + number("cap") + "\n");
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, status);
}
