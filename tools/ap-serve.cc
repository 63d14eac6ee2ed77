#include "base/text.hh"
#include "cli/tool.hh"
#include "net/serve.hh"
#include "wrap/heap.hh"

#include <sys/resource.h>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'a', "host", "ADDRESS", "listen at (default AUTOPACK_BIND_ADDRESS or 127.0.0.1)"},
    {'p', "port", "N", "listen at this port (default 8000; 0: any that is free)"},
    {'s', "socket", "PATH", "listen at a Unix socket besides"},
    {0, "tls-certificate", "FILE", "speak TLS with this certificate chain (PEM)"},
    {0, "tls-key", "FILE", "and this key (PEM)"},
    {'n', "name", "NAME", "a name this host is called by, besides its addresses"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::ToolSpec spec = {.name = "ap-serve",
                               .summary = "API, health and dashboard over HTTP",
                               .options = options};

// Followers of events hold a connection each, and the usual limit is 1,024 files.
void raise_file_limit()
{
    constexpr rlim_t wanted = 4096;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = std::min(limit.rlim_max, wanted);
        // Without it fewer can follow at once.
        static_cast<void>(setrlimit(RLIMIT_NOFILE, &limit));
    }
}

ap::ServeOptions serve_options(const ap::Arguments &arguments)
{
    ap::ServeOptions chosen;
    chosen.host = arguments.value("host");
    chosen.port =
        static_cast<uint16_t>(arguments.integer("port", 0, 65535).value_or(8000));
    chosen.socket = arguments.value("socket");
    chosen.tls_certificate = arguments.value("tls-certificate").value_or("");
    chosen.tls_key = arguments.value("tls-key").value_or("");
    chosen.names = arguments.values("name");
    if (chosen.tls_certificate.empty() != chosen.tls_key.empty()) {
        throw ap::UsageError("--tls-certificate and --tls-key go together");
    }
    return chosen;
}

ExitStatus serve(const ap::Arguments &arguments)
{
    raise_file_limit();
    ap::keep_freed_memory(); // each page and each batch of events takes some hundred KiB
    const ap::SystemClock clock;
    ap::Serve(ap::state_paths(arguments.value("db")), serve_options(arguments), clock,
              ap::warn)
        .run();
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, serve);
}
