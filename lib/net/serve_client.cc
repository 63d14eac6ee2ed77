#include "net/serve_client.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/fd.hh"
#include "sys/path.hh"
#include "sys/process.hh"
#include "sys/socket.hh"

#include <optional>

namespace ap {

namespace {

constexpr size_t largest_answer = 4 << 20;
constexpr size_t largest_file = 4096;

// What the server's file says; nothing if there is none, or only that of a dead one.
std::optional<Json> find_server(const StatePaths &paths, const ServedBy &server)
{
    const std::string path = join_path(paths.runs, server.file);
    if (!path_exists(path)) {
        return std::nullopt;
    }
    Json file = Json::parse(read_file(path, largest_file), path);
    const auto pid = file.get_integer("pid");
    if (!pid || !process_start_time(static_cast<pid_t>(*pid))) {
        return std::nullopt;
    }
    return file;
}

Fd connect_to(const Json &file)
{
    if (const auto socket = file.get_string("socket")) {
        return connect_unix(*socket);
    }
    constexpr std::string_view scheme = "http://";
    const std::string url = file.get_string("url").value_or("");
    const size_t colon = url.rfind(':');
    const auto port = parse_integer(std::string_view(url).substr(colon + 1), 1, 65535);
    if (!url.starts_with(scheme) || !port) {
        throw Error(
            ExitStatus::Unavailable,
            "the server speaks TLS only; give it a --socket, or ask it with curl");
    }
    std::string host = url.substr(scheme.size(), colon - scheme.size());
    if (host.starts_with('[')) {
        host = host.substr(1, host.size() - 2);
    }
    host = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
    return connect_tcp(host, static_cast<uint16_t>(*port));
}

} // namespace

bool is_running(const StatePaths &paths, const ServedBy &server)
{
    return find_server(paths, server).has_value();
}

Json ask_server(const StatePaths &paths, const ServedBy &server, const std::string &path)
{
    const auto file = find_server(paths, server);
    if (!file) {
        const std::string tool(server.tool);
        throw Error(ExitStatus::Unavailable,
                    "no " + tool + " is running here: start '" + tool + "'");
    }
    const Fd socket = connect_to(*file);
    write_all(socket.get(),
              "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
              "the server's socket");
    const std::string answer =
        read_all(socket.get(), largest_answer, "the server's answer");
    const size_t body = answer.find("\r\n\r\n");
    const auto json = Json::try_parse(body == std::string::npos
                                          ? std::string_view()
                                          : std::string_view(answer).substr(body + 4));
    if (!json) {
        throw Error(ExitStatus::BadData, "the server's answer is no JSON");
    }
    return *json;
}

} // namespace ap
