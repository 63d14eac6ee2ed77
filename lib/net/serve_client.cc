#include "net/serve_client.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/fd.hh"
#include "sys/path.hh"
#include "sys/process.hh"
#include "sys/socket.hh"

namespace ap {

namespace {

constexpr size_t largest_answer = 4 << 20;
constexpr size_t largest_file = 4096;

[[noreturn]] void none_running()
{
    throw Error(ExitStatus::Unavailable, "no ap-serve is running here: start 'ap-serve'");
}

Json read_file_of_server(const StatePaths &paths)
{
    const std::string path = join_path(paths.runs, "serve.json");
    if (!path_exists(path)) {
        none_running();
    }
    Json file = Json::parse(read_file(path, largest_file), path);
    const auto pid = file.get_integer("pid");
    if (!pid || !process_start_time(static_cast<pid_t>(*pid))) {
        none_running();
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

Json ask_server(const StatePaths &paths, const std::string &path)
{
    const Fd socket = connect_to(read_file_of_server(paths));
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
