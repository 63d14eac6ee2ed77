#pragma once

#include "domain/event_log.hh"
#include "net/event_stream.hh"
#include "net/http_request.hh"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// Sends events to clients that follow them (server-sent events) as they are committed by
/// whatever process. The database is looked at once for all of them, and only while there
/// is somebody to tell.
///
/// Besides the rows of the event log, whose numbers are the ids of the stream, a message
/// "usage" tells the totals of runs whose tokens changed; it has no id, as the next one
/// says it all again.
class EventHub
{
public:
    using Milliseconds = std::chrono::milliseconds;

    /// How often the database is looked at while somebody follows.
    static constexpr Milliseconds interval{40};

    /// After a change was told, the next waits for so long for each client, so that many
    /// of them on a busy database do not take the executors' time; 200 ms at most. What
    /// comes after a quiet moment is told at once.
    static constexpr std::chrono::microseconds pause_per_watcher{400};

    /// A client that does not read is cut off when so many bytes wait for it; it comes
    /// back with Last-Event-ID.
    static constexpr size_t longest_queue = 256 << 10;

    EventHub(Sqlite &database, const Clock &clock);

    /// Begins a stream: from after Last-Event-ID (or the query's "after"), else from now.
    void open(const std::shared_ptr<HttpExchange> &exchange, const HttpRequest &request,
              bool over_tls);

    /// Sends what was committed, if the last look is longer ago than the interval. May be
    /// called at any time, and is due after due_in(); nothing while nobody follows.
    void tick();
    std::optional<Milliseconds> due_in() const;

    /// Ends all streams.
    void close();

    size_t watchers() const noexcept { return watchers_.size(); }

private:
    struct Watcher
    {
        EventStream stream;
        std::string run_id; ///< empty: all
        int64_t sent = 0;   ///< number of the last event
    };

    class Batch;

    void send_backlog(Watcher &watcher);
    void send_new_events();
    void send_usage();
    void keep_alive();
    Milliseconds pause() const;

    Sqlite &database_;
    const Clock &clock_;
    GzipCompressor compressor_;
    std::vector<Watcher> watchers_;
    int64_t data_version_ = -1;
    int64_t last_event_ = 0;
    int64_t last_usage_ = 0;
    bool has_news_ = false;
    bool usage_is_due_ = false;
    Milliseconds looked_{-interval};
    Milliseconds news_sent_{0};
    Milliseconds usage_sent_{0};
    Milliseconds kept_alive_{0};
};

} // namespace ap
