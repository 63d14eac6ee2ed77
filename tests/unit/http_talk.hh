#pragma once

#include "sys/fd.hh"
#include "sys/socket.hh"
#include "wrap/http_server.hh"

#include <array>
#include <chrono>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>

namespace check {

/// A client that says to a socket exactly what a test wants said.
class Talk
{
public:
    explicit Talk(ap::Fd socket)
        : socket_(std::move(socket))
    {
        ap::set_nonblocking(socket_.get());
    }

    void say(std::string_view text)
    {
        if (send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(text.size())) {
            throw std::logic_error("the socket did not take it all");
        }
    }

    /// Sends what the socket takes now and drops it from `text`.
    void say_some(std::string_view &text)
    {
        const ssize_t count = send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        text.remove_prefix(count < 0 ? 0 : static_cast<size_t>(count));
    }

    /// All that was heard so far.
    const std::string &heard()
    {
        std::array<char, 65536> buffer{};
        ssize_t count = 0;
        while (!ended_ &&
               (count = recv(socket_.get(), buffer.data(), buffer.size(), 0)) >= 0) {
            ended_ = count == 0;
            heard_.append(buffer.data(), static_cast<size_t>(count));
        }
        ended_ = ended_ || (errno != EAGAIN && count < 0);
        return heard_;
    }

    bool ended()
    {
        heard();
        return ended_;
    }

    void forget() { heard_.clear(); }
    void hang_up() { socket_.reset(); }
    int fd() const { return socket_.get(); }

private:
    ap::Fd socket_;
    std::string heard_;
    bool ended_ = false;
};

/// Runs the server until `condition` holds, and only when it says that it has something
/// to do; throws if it does not within ten seconds.
template <typename Condition>
void run_until(ap::HttpServer &server, const Condition &condition)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::logic_error("it did not come to pass in ten seconds");
        }
        pollfd watched = {server.fd(), POLLIN, 0};
        const auto timeout = server.timeout();
        const bool due = timeout && timeout->count() == 0;
        if (poll(&watched, 1, due ? 0 : 2) == 1 || due ||
            (timeout && *timeout < std::chrono::seconds(2))) {
            server.run();
        }
    }
}

} // namespace check
