#pragma once

#include <string_view>

namespace ap {

/// What an exchange tells the connection it is on. For the server's own use.
class HttpConnection
{
public:
    virtual ~HttpConnection() = default;

    /// There is something to do: an answer was begun or goes on, or the body may.
    virtual void wake() = 0;

    /// One more exchange that is over.
    virtual void exchange_ended() noexcept = 0;

    /// The client's numeric address; "unix" on a Unix socket.
    virtual std::string_view peer() const noexcept = 0;
};

} // namespace ap
