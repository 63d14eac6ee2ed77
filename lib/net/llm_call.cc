#include "net/llm_call.hh"

#include "base/text.hh"
#include "sys/poll_loop.hh"
#include "sys/signals.hh"

#include <cstdlib>

namespace ap {

namespace {

constexpr size_t longest_refusal = 65536;
constexpr int ok = 200;

class Call final : public HttpListener
{
public:
    Call(LlmDialect dialect, const LlmRequest &request, const LlmBounds &bounds,
         const std::function<void(std::string_view)> &on_text)
        : route_(route_of("POST", request.target))
        , bounds_(bounds)
        , on_text_(on_text)
        , answer_(dialect)
    {
    }

    bool ended() const noexcept { return ended_; }

    void stop()
    {
        ended_ = true;
        failure_ = {ExitStatus::Stopped, "stopped; the answer is cut off"};
    }

    void on_head(int status, std::span<const HttpField> fields) override
    {
        status_ = status;
        refusal_ = find_field(fields, "autopack-refusal").value_or("");
        const auto type = find_field(fields, "content-type").value_or("");
        const auto encoding = find_field(fields, "content-encoding").value_or("");
        is_stream_ = type.starts_with("text/event-stream");
        if (status == ok) {
            meter_.emplace(
                ResponseForm{route_.dialect, is_stream_, std::string(encoding)},
                bounds_.input);
        }
    }

    void on_piece(std::string_view piece) override
    {
        if (meter_) {
            meter_->feed(piece);
        }
        if (status_ != ok || !is_stream_) {
            body_ += piece.substr(0, longest_refusal - body_.size());
            return;
        }
        if (const std::string text = answer_.feed(piece); !text.empty()) {
            on_text_(text);
        }
    }

    void on_end(const HttpEnd &end) override
    {
        ended_ = true;
        if (end.how != HttpEnd::How::Whole) {
            failure_ = {ExitStatus::Unavailable, end.reason};
        } else if (status_ != ok) {
            failure_ = read_llm_failure(status_, refusal_, body_);
        } else if (!is_stream_) {
            failure_ = {ExitStatus::Unavailable,
                        "expected a stream, got '" + printable(body_) + "'"};
        } else if (!answer_.error().empty()) {
            failure_ = {ExitStatus::Unavailable, printable(answer_.error())};
        } else if (answer_.stop_reason().empty()) {
            failure_ = {ExitStatus::Unavailable, "the answer ended before its end"};
        }
    }

    void tell(LlmResult &result) const
    {
        if (meter_) {
            result.usage = meter_->result(bounds_.output, bounds_.hidden_output);
        }
        result.failure = failure_;
        result.answered = status_ == ok;
        result.stop_reason = answer_.stop_reason();
        result.model = answer_.model();
        result.id = answer_.id();
    }

private:
    Route route_;
    const LlmBounds &bounds_;
    const std::function<void(std::string_view)> &on_text_;
    LlmAnswer answer_;
    std::optional<UsageMeter> meter_;
    int status_ = 0;
    bool is_stream_ = false;
    bool ended_ = false;
    std::string refusal_;
    std::string body_;
    std::optional<LlmFailure> failure_;
};

void run(Call &call, HttpClient &client)
{
    PollLoop loop;
    SignalFd signals({SIGINT, SIGTERM});
    loop.add(signals.fd(), [&] {
        while (signals.next()) {
            call.stop();
        }
    });
    loop.add(client.fd(), [] {}); // run() below does what there is to do
    while (!call.ended()) {
        client.run();
        if (!call.ended()) {
            loop.run_once(client.timeout());
        }
    }
}

} // namespace

Json llm_result_to_json(const LlmResult &result, std::string_view provider,
                        std::string_view text)
{
    const Usage &usage = result.usage.usage;
    Json tokens = Json::object();
    tokens.set("prompt_tokens", usage.prompt_tokens)
        .set("completion_tokens", usage.completion_tokens)
        .set("cached_tokens", usage.cached_tokens)
        .set("cache_write_tokens", usage.cache_write_tokens)
        .set("reasoning_tokens", usage.reasoning_tokens)
        .set("estimated", usage.estimated);
    return Json::object()
        .set("provider", provider)
        .set("model", result.model)
        .set("id", result.id)
        .set("text", text)
        .set("stop_reason", result.stop_reason)
        .set("usage", tokens);
}

void call_llm(LlmDialect dialect, const LlmRequest &request, const LlmBounds &bounds,
              const std::function<void(std::string_view)> &on_text, LlmResult &result)
{
    Call call(dialect, request, bounds, on_text);
    // As with curl: by it ap-exec tells how a gateway with TLS is known.
    const char *bundle = std::getenv("CURL_CA_BUNDLE");
    HttpClient client({.ca_file = bundle == nullptr ? "" : bundle});
    std::vector<HttpField> fields;
    for (const auto &[name, value] : request.fields) {
        fields.push_back({name, value});
    }
    const HttpTransfer transfer =
        client.start({"POST", request.url, fields, request.body, bounds.timeouts}, call);
    try {
        run(call, client);
    } catch (...) {
        call.tell(result);
        throw;
    }
    call.tell(result);
}

} // namespace ap
