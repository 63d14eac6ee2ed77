#pragma once

#include "base/http_field.hh"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ap {

/// How long a transfer may take for each of its steps; zero: for ever.
struct HttpTimeouts
{
    std::chrono::milliseconds connect{10'000};
    std::chrono::milliseconds first_byte{300'000}; ///< from the start to the header
    std::chrono::milliseconds idle{120'000};       ///< between pieces of the body
};

/// A request to be sent. The views need to be valid only while start() runs, except for
/// `body`, which must stay until the transfer has ended or was cancelled.
struct ClientRequest
{
    std::string_view method;
    std::string_view url;              ///< http or https, sent as it is
    std::span<const HttpField> fields; ///< sent in this order; Host and framing are ours
    std::optional<std::string_view> body{}; ///< sent with its Content-Length
    HttpTimeouts timeouts{};
};

/// How a transfer ended.
struct HttpEnd
{
    enum class How {
        Whole,     ///< the answer came to its proper end
        NotSent,   ///< no connection could be made: the server got nothing
        FirstByte, ///< no answer in time
        Idle,      ///< the answer stalled
        Cut,       ///< the connection broke, or what came was not HTTP
    };

    How how = How::Whole;
    std::string reason; ///< one line for people; empty for Whole
};

/// What hears of a transfer's progress, from within HttpClient::run() or
/// HttpTransfer::resume(). It may start, pause and drop any transfer, this one included.
class HttpListener
{
public:
    virtual ~HttpListener() = default;

    /// The final status and header; interim answers (1xx) are not told.
    virtual void on_head(int status, std::span<const HttpField> fields) = 0;

    /// The next piece of the body as it came, less the chunked framing: never decoded.
    virtual void on_piece(std::string_view piece) = 0;

    /// The last that is heard of a transfer, unless it was dropped.
    virtual void on_end(const HttpEnd &end) = 0;
};

class HttpClient;

/// A transfer under way. Dropping it cancels: nothing more is heard, and the connection
/// is closed at once unless the transfer has ended.
class HttpTransfer
{
public:
    HttpTransfer() noexcept = default;
    HttpTransfer(const HttpTransfer &) = delete;
    HttpTransfer &operator=(const HttpTransfer &) = delete;
    HttpTransfer(HttpTransfer &&other) noexcept;
    HttpTransfer &operator=(HttpTransfer &&other) noexcept;
    ~HttpTransfer() { drop(); }

    /// Stops reading from the server soon; a few pieces may still come.
    void pause();

    /// Goes on reading; pieces held back may come before this returns.
    void resume();

    void drop() noexcept;

private:
    friend class HttpClient;
    HttpTransfer(HttpClient &client, uint64_t id) noexcept
        : client_(&client)
        , id_(id)
    {
    }

    HttpClient *client_ = nullptr;
    uint64_t id_ = 0;
};

} // namespace ap
