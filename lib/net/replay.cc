#include "net/replay.hh"

#include "base/text.hh"
#include "wrap/json.hh"

namespace ap {

namespace {

constexpr size_t largest_body = size_t{256} << 20;

std::vector<HttpField> fields_of(const CallRecord &record)
{
    std::vector<HttpField> fields;
    for (const auto &[name, value] : record.response_fields) {
        if (!is_hop_by_hop(name)) {
            fields.push_back({name, value});
        }
    }
    return fields;
}

} // namespace

Replay::Replay(CallArchive archive, HttpServerConfig config,
               std::function<void(const std::string &)> complain)
    : archive_(std::move(archive))
    , complain_(std::move(complain))
    , server_(std::move(config), [this](const auto &exchange) { take(exchange); })
{
}

void Replay::take(const std::shared_ptr<HttpExchange> &exchange)
{
    exchange->read_body(largest_body, [this, exchange](const std::string &body) {
        answer(*exchange, body);
    });
}

void Replay::answer(HttpExchange &exchange, const std::string &body)
{
    const auto record = archive_.next(exchange.method(), exchange.target(), body);
    if (!record) {
        // Clients look whether a provider is there before they call it.
        if (exchange.method() == "HEAD") {
            exchange.respond(200, {}, "");
        } else {
            refuse(exchange, body);
        }
        return;
    }
    if (record->complete) {
        exchange.respond(record->status, fields_of(*record), record->response_body);
        return;
    }
    exchange.begin(record->status, fields_of(*record));
    if (record->response_body.empty()) {
        exchange.abort();
        return;
    }
    exchange.on_drained(0, [&exchange] { exchange.abort(); });
    exchange.write(record->response_body);
}

void Replay::refuse(HttpExchange &exchange, const std::string &body)
{
    unmatched_++;
    const size_t recorded = archive_.count(exchange.method(), exchange.target(), body);
    const std::string request = std::string(exchange.method()) + " " +
                                printable(target_without_key(exchange.target()));
    const std::string message =
        recorded == 0 ? "no recording of " + request + " with this body"
                      : "all " + std::to_string(recorded) + " recordings of " + request +
                            " with this body have been served";
    complain_(message);
    Json error = Json::object();
    error.set("type", "invalid_request_error")
        .set("code", "no_recording")
        .set("message", "ap-replay: " + message);
    const Json whole = Json::object().set("type", "error").set("error", error);
    const HttpField fields[] = {{"content-type", "application/json"}};
    exchange.respond(400, fields, whole.dump());
}

} // namespace ap
