#include "net/event_hub.hh"

#include "base/text.hh"
#include "domain/budget.hh"

#include <algorithm>
#include <map>
#include <set>

namespace ap {

namespace {

constexpr int64_t events_at_once = 500;
constexpr EventHub::Milliseconds usage_interval{200};
constexpr EventHub::Milliseconds alive_interval{15'000};

std::string message_of(const Event &event)
{
    // JSON has no newline in it, so one data line is enough.
    return "id: " + std::to_string(event.event_id) + "\nevent: " + event.kind +
           "\ndata: " + event_to_json(event).dump() + "\n\n";
}

std::string usage_message(Sqlite &database, const std::string &run_id)
{
    const Budget budget = show_budget(database, run_id, "");
    return "event: usage\ndata: " + budget_to_json(budget).dump() + "\n\n";
}

} // namespace

// Events in the order of their numbers, as a text for whoever wants all of them or those
// of a run, which is made once.
class EventHub::Batch
{
public:
    Batch(std::vector<Event> events, GzipCompressor &compressor)
        : events_(std::move(events))
        , compressor_(compressor)
    {
    }

    int64_t last() const { return events_.back().event_id; }

    // Writes what is newer than the watcher's last one; the length of that text.
    size_t write_to(Watcher &watcher)
    {
        const int64_t sent = std::exchange(watcher.sent, std::max(watcher.sent, last()));
        if (sent < events_.front().event_id) {
            return write(text(watcher.run_id), watcher);
        }
        StreamText rest(text_of(watcher.run_id, sent), compressor_);
        return write(rest, watcher);
    }

private:
    static size_t write(StreamText &text, Watcher &watcher)
    {
        watcher.stream.write(text);
        return text.size();
    }

    StreamText &text(const std::string &run_id)
    {
        auto found = texts_.find(run_id);
        if (found == texts_.end()) {
            found = texts_.try_emplace(run_id, text_of(run_id, 0), compressor_).first;
        }
        return found->second;
    }

    std::string text_of(const std::string &run_id, int64_t after) const
    {
        std::string text;
        for (const Event &event : events_) {
            if (event.event_id > after && (run_id.empty() || event.run_id == run_id)) {
                text += message_of(event);
            }
        }
        return text;
    }

    std::vector<Event> events_;
    GzipCompressor &compressor_;
    std::map<std::string, StreamText> texts_; // by run; "": all
};

EventHub::EventHub(Sqlite &database, const Clock &clock)
    : database_(database)
    , clock_(clock)
{
}

void EventHub::open(const std::shared_ptr<HttpExchange> &exchange,
                    const HttpRequest &request, bool over_tls)
{
    if (watchers_.empty()) {
        last_event_ = newest_event(database_);
        last_usage_ =
            database_.query_integer("SELECT max(usage_id) FROM llm_usage_events");
        data_version_ = -1;
        kept_alive_ = clock_.monotonic();
    }
    const int64_t newest = newest_event(database_);
    const auto header = exchange->field("last-event-id");
    const auto last = header
                          ? parse_integer(*header, 0, INT64_MAX)
                          : std::optional(request.number("after", 0, INT64_MAX, newest));
    Watcher watcher{EventStream(exchange, over_tls), request.field("run").value_or(""),
                    std::min(last.value_or(newest), newest)};
    StreamText hello("retry: 2000\n: connected\n\n", compressor_);
    watcher.stream.write(hello);
    send_backlog(watcher);
    watchers_.push_back(std::move(watcher));
}

// What was missed, as much as may wait for one client; the rest comes with the next
// connection, as the client is cut off then.
void EventHub::send_backlog(Watcher &watcher)
{
    size_t size = 0;
    while (watcher.sent < last_event_ && size <= longest_queue / 2) {
        std::vector<Event> events =
            events_after(database_, watcher.sent, events_at_once, watcher.run_id);
        if (events.empty()) {
            watcher.sent = last_event_;
            break;
        }
        Batch batch(std::move(events), compressor_);
        size += batch.write_to(watcher);
    }
    if (watcher.sent < last_event_) {
        watcher.stream.finish();
    }
}

void EventHub::send_new_events()
{
    while (true) {
        std::vector<Event> events = events_after(database_, last_event_, events_at_once);
        const bool is_last = static_cast<int64_t>(events.size()) < events_at_once;
        if (!events.empty()) {
            Batch batch(std::move(events), compressor_);
            last_event_ = batch.last();
            for (Watcher &watcher : watchers_) {
                batch.write_to(watcher);
                watcher.stream.cut_off_if_longer(longest_queue);
            }
        }
        if (is_last) {
            return;
        }
    }
}

void EventHub::send_usage()
{
    std::set<std::string> runs;
    Statement rows =
        database_.prepare("SELECT usage_id, run_id FROM llm_usage_events "
                          "WHERE usage_id > ?1 ORDER BY usage_id LIMIT 5000");
    rows.bind_all(last_usage_);
    while (rows.step()) {
        last_usage_ = rows.integer(0);
        runs.emplace(rows.text(1));
    }
    for (const std::string &run_id : runs) {
        StreamText message(usage_message(database_, run_id), compressor_);
        for (Watcher &watcher : watchers_) {
            if (watcher.run_id.empty() || watcher.run_id == run_id) {
                watcher.stream.write(message);
                watcher.stream.cut_off_if_longer(longest_queue);
            }
        }
    }
}

// A comment now and then shows a proxy, and us, that the connection lives.
void EventHub::keep_alive()
{
    if (clock_.monotonic() - kept_alive_ >= alive_interval) {
        kept_alive_ = clock_.monotonic();
        StreamText comment(": alive\n\n", compressor_);
        for (Watcher &watcher : watchers_) {
            watcher.stream.write(comment);
        }
    }
}

EventHub::Milliseconds EventHub::pause() const
{
    const auto pause = pause_per_watcher * static_cast<int64_t>(watchers_.size());
    return std::min(std::chrono::duration_cast<Milliseconds>(pause), usage_interval);
}

std::optional<EventHub::Milliseconds> EventHub::due_in() const
{
    if (watchers_.empty()) {
        return std::nullopt;
    }
    return std::max(Milliseconds(0), looked_ + interval - clock_.monotonic());
}

void EventHub::tick()
{
    const Milliseconds now = clock_.monotonic();
    if (watchers_.empty() || now - looked_ < interval) {
        return;
    }
    looked_ = now;
    std::erase_if(watchers_,
                  [](const Watcher &watcher) { return watcher.stream.over(); });
    keep_alive();
    const int64_t version = database_.query_integer("PRAGMA data_version");
    has_news_ |= std::exchange(data_version_, version) != version;
    if (has_news_ && now - news_sent_ >= pause()) {
        news_sent_ = now;
        has_news_ = false;
        send_new_events();
        usage_is_due_ = true;
    }
    // Totals may change with every call of an agent; a few times a second is enough.
    if (usage_is_due_ && now - usage_sent_ >= usage_interval) {
        usage_sent_ = now;
        usage_is_due_ = false;
        send_usage();
    }
}

void EventHub::close()
{
    for (Watcher &watcher : watchers_) {
        watcher.stream.finish();
    }
    watchers_.clear();
}

} // namespace ap
