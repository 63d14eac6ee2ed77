#include "net/llm_call.hh"

#include "base/text.hh"
#include "net/gate_forward.hh"
#include "net/provider_error.hh"
#include "sys/poll_loop.hh"
#include "sys/signals.hh"

#include <algorithm>
#include <cstdlib>

namespace ap {

namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

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
    milliseconds retry_after() const noexcept { return retry_after_; }

    // Whether it cannot have been worked on, and another try may do better.
    bool may_be_made_again() const noexcept
    {
        return failure_ && !stopped_ &&
               (not_sent_ ||
                ((status_ == 429 || status_ == 503 || status_ == 529) &&
                 refusal_.empty() && failure_->status != ExitStatus::BudgetExhausted));
    }

    // Why it speaks against the provider; empty if it does not.
    std::string reason() const
    {
        if (status_ == 429 || status_ >= 500) {
            return reason_of_status(status_);
        }
        const bool refused = status_ != 0 && status_ != ok;
        return failure_ && !refused ? failure_->message : "";
    }

    bool stopped() const noexcept { return stopped_; }
    milliseconds duration() const
    {
        return std::chrono::duration_cast<milliseconds>(Steady::now() - began_);
    }

    void stop()
    {
        ended_ = stopped_ = true;
        failure_ = {ExitStatus::Stopped, "stopped; the answer is cut off"};
    }

    void on_head(int status, std::span<const HttpField> fields) override
    {
        status_ = status;
        refusal_ = find_field(fields, "autopack-refusal").value_or("");
        const auto type = find_field(fields, "content-type").value_or("");
        const auto encoding = find_field(fields, "content-encoding").value_or("");
        retry_after_ = ap::retry_after(fields, std::chrono::system_clock::now())
                           .value_or(milliseconds(0));
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
        not_sent_ = end.how == HttpEnd::How::NotSent;
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
            result.usage =
                meter_->result(bounds_.output, bounds_.hidden_output, &bounds_.ratios);
            result.visible_bytes = meter_->progress().visible_bytes;
        }
        // What got no answer at all may have been worked on all the same.
        const bool may_have_been = status_ == 0 && !not_sent_;
        if (may_have_been) {
            result.usage.usage.completion_tokens = bounds_.output;
            result.usage.usage.estimated = true;
        }
        Usage &usage = result.usage.usage;
        if (usage.estimated && (!meter_ || !meter_->progress().input_known)) {
            usage.prompt_tokens = bounds_.ratios.input_of(bounds_.input);
        }
        result.failure = failure_;
        result.answered = status_ == ok || may_have_been;
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
    bool stopped_ = false;
    bool not_sent_ = false;
    milliseconds retry_after_{};
    Steady::time_point began_ = Steady::now();
    std::string refusal_;
    std::string body_;
    std::optional<LlmFailure> failure_;
};

// One call after the other, until a signal stops it.
class Caller
{
public:
    Caller()
        : client_({.ca_file = certificates()})
    {
        loop_.add(signals_.fd(), [this] {
            while (signals_.next()) {
                stopped_ = true;
            }
        });
        loop_.add(client_.fd(), [] {}); // run() does what there is to do
    }

    void make(Call &call, const ClientRequest &request)
    {
        const HttpTransfer transfer = client_.start(request, call);
        while (!call.ended()) {
            client_.run();
            if (!call.ended()) {
                loop_.run_once(client_.timeout());
            }
            if (stopped_ && !call.ended()) {
                call.stop();
            }
        }
    }

    // False if it was stopped meanwhile.
    bool wait(milliseconds length)
    {
        const Steady::time_point end = Steady::now() + length;
        while (!stopped_ && Steady::now() < end) {
            client_.run(); // a server may end the connection meanwhile
            loop_.run_once(std::chrono::ceil<milliseconds>(end - Steady::now()));
        }
        return !stopped_;
    }

private:
    bool stopped_ = false;
    HttpClient client_;
    SignalFd signals_{SIGINT, SIGTERM};
    PollLoop loop_;

    // As with curl: by it ap-exec tells how a gateway with TLS is known.
    static std::string certificates()
    {
        const char *bundle = std::getenv("CURL_CA_BUNDLE");
        return bundle == nullptr ? "" : bundle;
    }
};

milliseconds pause_before(const LlmRetry &retry, int64_t made, milliseconds retry_after)
{
    const milliseconds pause =
        retry.backoff * (int64_t{1} << std::min<int64_t>(made, 16));
    return std::max(pause, retry_after);
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
              const std::function<void(std::string_view)> &on_text, LlmResult &result,
              LlmBreaker *breaker)
{
    Caller caller;
    std::vector<HttpField> fields;
    for (const auto &[name, value] : request.fields) {
        fields.push_back({name, value});
    }
    for (int64_t made = 0;; ++made) {
        const auto refusal = breaker != nullptr ? breaker->refusal() : std::nullopt;
        if (refusal) {
            result.failure = made == 0 ? refusal : result.failure;
            return;
        }
        Call call(dialect, request, bounds, on_text);
        try {
            caller.make(call,
                        {"POST", request.url, fields, request.body, bounds.timeouts});
        } catch (...) {
            call.tell(result);
            throw;
        }
        call.tell(result);
        if (breaker != nullptr && !call.stopped()) {
            breaker->report(call.reason(), call.duration(), call.retry_after());
        }
        const milliseconds pause = pause_before(bounds.retry, made, call.retry_after());
        if (!call.may_be_made_again() || made + 1 >= bounds.retry.attempts ||
            pause > bounds.retry.longest) {
            return;
        }
        if (!caller.wait(pause)) {
            result.failure = {ExitStatus::Stopped, "stopped before another try"};
            return;
        }
    }
}

} // namespace ap
