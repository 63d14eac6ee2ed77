#pragma once

#include "net/http_request.hh"
#include "sys/fd.hh"
#include "wrap/http_exchange.hh"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ap {

/// Sends files that may grow: whole, a range of them, or on and on as they are written.
class LogStreams
{
public:
    using Milliseconds = std::chrono::milliseconds;

    /// How often tick() is wanted while somebody follows.
    static constexpr Milliseconds interval{100};

    /// Whether a file that is followed may still grow.
    using MayGrow = std::function<bool()>;

    /// Answers with the file at `path`. With the query's "follow=1" it goes on from the
    /// end of what is there, or from the offset "from", until `may_grow` says no; without
    /// it a Range field is heeded. `type` is its media type. "tail=N" starts N bytes
    /// before the end.
    void open(const std::shared_ptr<HttpExchange> &exchange, const HttpRequest &request,
              const std::string &path, MayGrow may_grow, bool over_tls,
              std::string_view type = "text/plain; charset=utf-8");

    /// Sends what was written since the last call.
    void tick();

    /// Ends all streams that follow.
    void close();

    size_t following() const noexcept { return followers_.size(); }

private:
    struct Stream
    {
        std::shared_ptr<HttpExchange> exchange;
        Fd file;
        uint64_t at = 0;
        uint64_t end = 0; ///< of what is to be sent; of a followed file: unknown
        MayGrow may_grow;
        int idle = 0; ///< ticks without news
    };

    static void send_more(Stream &stream);
    static bool follow(Stream &stream);

    std::vector<std::shared_ptr<Stream>> followers_;
};

} // namespace ap
