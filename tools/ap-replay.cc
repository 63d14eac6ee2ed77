#include "base/text.hh"
#include "cli/tool.hh"
#include "net/replay.hh"
#include "sys/poll_loop.hh"
#include "sys/signals.hh"
#include "sys/socket.hh"
#include "wrap/json.hh"

#include <cstdio>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'l', "listen", "ADDRESS", "loopback address and port (default 127.0.0.1:0)"},
    {'i', "ignore", "POINTER", "JSON pointer of a member that may differ"},
    {'q', "quiet", "", "do not tell of requests that match nothing"},
    {0, "json", "", "print where it listens, and at the end what it served, as JSON"},
};

constexpr ap::ToolSpec spec = {.name = "ap-replay",
                               .summary = "serve recorded LLM calls as a provider",
                               .options = options,
                               .operands = "ARCHIVE...",
                               .least = 1,
                               .most = SIZE_MAX};

struct Address
{
    std::string host;
    uint16_t port;
};

Address parse_address(const std::string &text)
{
    const size_t colon = text.rfind(':');
    std::string host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    const auto port = colon == std::string::npos
                          ? std::nullopt
                          : ap::parse_integer(text.substr(colon + 1), 0, 65535);
    if (!port || !ap::is_loopback(host)) {
        throw ap::UsageError("--listen: expected a loopback address and port such as "
                             "127.0.0.1:4242, got '" +
                             ap::printable(text) + "'");
    }
    return {host, static_cast<uint16_t>(*port)};
}

std::vector<std::string> ignored_members(const ap::Arguments &arguments)
{
    std::vector<std::string> pointers = arguments.values("ignore");
    for (const std::string &pointer : pointers) {
        if (!pointer.starts_with('/')) {
            throw ap::UsageError("--ignore: expected a JSON pointer such as /metadata, "
                                 "got '" +
                                 ap::printable(pointer) + "'");
        }
    }
    return pointers;
}

ap::CallArchive open_archive(const ap::Arguments &arguments)
{
    ap::CallArchive archive(ignored_members(arguments));
    for (const std::string &operand : arguments.operands()) {
        for (const std::string &path : ap::find_archives(operand)) {
            archive.add(path);
        }
    }
    return archive;
}

void announce(const Address &address, uint16_t port, bool json)
{
    const bool six = address.host.find(':') != std::string::npos;
    const std::string url = "http://" + (six ? "[" + address.host + "]" : address.host) +
                            ":" + std::to_string(port);
    ap::print((json ? ap::Json::object().set("url", url).dump() : url) + "\n");
    static_cast<void>(std::fflush(stdout));
}

std::string status_text(const ap::Replay &replay)
{
    return std::to_string(replay.archive().served()) + " of " +
           std::to_string(replay.archive().size()) + " recordings served, " +
           std::to_string(replay.unmatched()) + " requests without one";
}

void serve(ap::Replay &replay)
{
    ap::PollLoop loop;
    ap::SignalFd signals({SIGINT, SIGTERM, SIGUSR1});
    bool stopping = false;
    loop.add(signals.fd(), [&] {
        while (const auto signal = signals.next()) {
            if (*signal == SIGUSR1) {
                ap::warn(status_text(replay));
            } else {
                stopping = true;
            }
        }
    });
    loop.add(replay.server().fd(), [] {}); // run() below does what there is to do
    while (!stopping) {
        replay.server().run();
        loop.run_once(replay.server().timeout());
    }
}

ExitStatus replay_main(const ap::Arguments &arguments)
{
    const Address address =
        parse_address(arguments.value("listen").value_or("127.0.0.1:0"));
    ap::HttpServerConfig config;
    config.listen = ap::listen_tcp(address.host, address.port);
    const uint16_t port = ap::local_port(config.listen.get());
    ap::Replay replay(open_archive(arguments), std::move(config),
                      [quiet = arguments.has("quiet")](const std::string &message) {
                          if (!quiet) {
                              ap::warn(message);
                          }
                      });
    announce(address, port, arguments.has("json"));
    serve(replay);
    if (arguments.has("json")) {
        const auto number = [](size_t count) { return static_cast<int64_t>(count); };
        ap::print(ap::Json::object()
                      .set("recorded", number(replay.archive().size()))
                      .set("served", number(replay.archive().served()))
                      .set("unmatched", number(replay.unmatched()))
                      .dump() +
                  "\n");
    }
    return replay.unmatched() > 0 ? ExitStatus::Failed : ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, replay_main);
}
