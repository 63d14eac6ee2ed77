#include "net/gate_call.hh"

#include "base/text.hh"
#include "net/gate_forward.hh"
#include "net/gate_loop.hh"
#include "net/provider_error.hh"

#include <algorithm>

namespace ap {

namespace {

using std::chrono::milliseconds;

// More than this of an answer is not read ahead of a client that takes its time.
constexpr size_t most_queued = 256 << 10;
constexpr size_t few_queued = 64 << 10;

std::chrono::microseconds micros_since(std::chrono::steady_clock::time_point then)
{
    return std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - then);
}

} // namespace

// Whether the gateway asks for the usage where the client did not.
bool GateCall::asks_usage() const
{
    return is_metered(route_.dialect) && usage_edit(estimate_);
}

// The client's body, or with our limit and the wish to be told the usage in it.
std::string GateCall::body_to_send() const
{
    std::vector<BodyEdit> edits;
    const bool limited = output_ > 0 && route_.dialect != Dialect::OpenAiEmbeddings;
    const int64_t one = limited ? output_ / estimate_.choices : 0;
    if (limited && estimate_.max_tokens != one) {
        edits.push_back(limit_edit(estimate_, one));
    }
    if (asks_usage()) {
        edits.push_back(*usage_edit(estimate_));
    }
    return edits.empty() ? std::string() : apply_edits(body(), std::move(edits));
}

void GateCall::forward()
{
    if (tries_++ == 0) {
        shared_.count(
            [&](GateMetrics &metrics) { metrics.added.observe(micros_since(began_)); });
    }
    sent_body_ = body_to_send();
    if (reservation_ != 0) {
        shared_.ledger.forwarding(reservation_);
    }
    forwarded_ = true;
    std::string bearer;
    const std::string url =
        provider_->base_url +
        target_without_key(other_target_.empty() ? exchange_->target() : other_target_);
    auto fields = forwarded_fields(exchange_->fields(), *provider_, bearer);
    if (asks_usage()) {
        // What is compressed cannot be taken out again.
        std::erase_if(fields, [](const HttpField &field) {
            return same_field_name(field.name, "accept-encoding");
        });
    }
    const std::string_view method = exchange_->method();
    const bool bodiless = body_.empty() && (method == "GET" || method == "HEAD" ||
                                            method == "DELETE" || method == "OPTIONS");
    ClientRequest request;
    request.method = method;
    request.url = url;
    request.fields = fields;
    request.timeouts = provider_->timeouts;
    if (!bodiless) {
        request.body = sent_body_.empty() ? body() : sent_body_;
    }
    sent_ = Steady::now();
    status_ = 0;
    transfer_ = loop_.client_.start(request, *this);
}

bool GateCall::would_retry(int status) const
{
    const std::vector<int64_t> &statuses = provider_->retry.statuses;
    return std::find(statuses.begin(), statuses.end(), status) != statuses.end();
}

void GateCall::on_head(int status, std::span<const HttpField> fields)
{
    const auto self = shared_from_this();
    status_ = status;
    shared_.count(
        [&](GateMetrics &metrics) { metrics.first_byte.observe(micros_since(sent_)); });
    shared_.count(
        [&](GateMetrics &metrics) { metrics.count_answer(provider_->name, status); });
    if (status == 429 || status >= 500) {
        const auto wait = retry_after(fields, std::chrono::system_clock::now());
        const std::string reason = reason_of_status(status);
        if (status == 429 && wait) {
            shared_.queues.hold(*provider_, Steady::now() + *wait);
        }
        report(true, reason, wait);
        if (would_retry(status) &&
            try_again({GateFault::Unreachable, reason, wait, false})) {
            transfer_.drop();
            return;
        }
    }
    begin_answer(status, fields);
}

void GateCall::begin_answer(int status, std::span<const HttpField> fields)
{
    if (is_metered(route_.dialect) && status >= 200 && status < 300) {
        ResponseForm form;
        form.dialect = route_.dialect;
        form.sse = find_field(fields, "content-type")
                       .value_or("")
                       .starts_with("text/event-stream");
        form.content_encoding = find_field(fields, "content-encoding").value_or("");
        meter_ = std::make_unique<UsageMeter>(form, estimate_.input_bound);
        if (const auto name = provider_request_id(fields); !name.empty()) {
            shared_.ledger.answered(reservation_, name);
        }
        const bool readable =
            form.content_encoding.empty() || form.content_encoding == "identity";
        if (form.sse && readable && asks_usage()) {
            strip_ = std::make_unique<UsageStrip>();
        }
    }
    const auto length = find_field(fields, "content-length");
    const auto bytes =
        length && !strip_ ? parse_integer(*length, 0, INT64_MAX) : std::nullopt;
    answering_ = true;
    begin_record(fields);
    if (!answer_key_.empty()) {
        begin_keeping(fields);
    }
    exchange_->on_drained(few_queued, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->transfer_.resume();
        }
    });
    exchange_->begin(status, answered_fields(fields),
                     bytes ? std::optional(static_cast<uint64_t>(*bytes)) : std::nullopt);
}

void GateCall::on_piece(std::string_view piece)
{
    const auto self = shared_from_this();
    bool within = true;
    if (record_ && record_->response_body.size() + piece.size() <= config_->body_limit) {
        record_->response_body += piece;
    }
    if (meter_) {
        meter_->feed(piece);
        within = shared_.ledger.observe(reservation_, meter_->progress());
    }
    pass(piece);
    if (!within && !finished_) {
        shared_.count([&](GateMetrics &metrics) {
            metrics.faults[metric_label("reason", "cap reached")]++;
        });
        transfer_.drop();
        settle();
        exchange_->abort();
    }
}

void GateCall::pass(std::string_view piece)
{
    if (strip_) {
        stripped_.clear();
        strip_->feed(piece, stripped_);
        piece = stripped_;
    }
    if (kept_) {
        keep(piece);
    }
    exchange_->write(piece);
    if (exchange_->queued() > most_queued) {
        transfer_.pause();
    }
}

void GateCall::on_end(const HttpEnd &end)
{
    const auto self = shared_from_this();
    using How = HttpEnd::How;
    if (end.how == How::Whole) {
        if (strip_) {
            stripped_.clear();
            strip_->finish(stripped_);
            if (kept_) {
                keep(stripped_);
            }
            exchange_->write(stripped_);
        }
        if (status_ < 500 && status_ != 429) {
            report(false, "");
        }
        if (kept_) {
            end_keeping();
        }
        settle();
        archive(true);
        exchange_->finish();
        return;
    }
    const bool slow = end.how == How::FirstByte || end.how == How::Idle;
    attempt_failed({slow ? GateFault::TooSlow : GateFault::Unreachable,
                    end.how == How::Idle        ? "stalled: " + end.reason
                    : end.how == How::FirstByte ? "timed out: " + end.reason
                    : end.how == How::NotSent   ? "not reached: " + end.reason
                                                : "broken off: " + end.reason,
                    std::nullopt, end.how == How::NotSent});
}

void GateCall::attempt_failed(const Verdict &verdict)
{
    const auto self = shared_from_this();
    report(true, verdict.reason, verdict.retry_after);
    if (verdict.not_sent && !answering_) {
        // What may have been worked on is not asked for twice; what never got there may
        // be.
        forwarded_ = false;
        if (try_again(verdict)) {
            return;
        }
    }
    if (answering_) {
        shared_.count([&](GateMetrics &metrics) { metrics.cut++; });
        settle();
        exchange_->abort();
        return;
    }
    answer_fault(verdict.fault, "provider " + provider_->name + ": " + verdict.reason,
                 verdict.retry_after);
}

// Another try of the same call, here or on another route; false if there is none.
bool GateCall::try_again(const Verdict &verdict)
{
    const GateRetry &retry = first_provider_->retry;
    if (answering_ || tries_ >= retry.attempts) {
        return false;
    }
    milliseconds wait = retry.backoff * (int64_t{1} << std::min<int64_t>(tries_ - 1, 16));
    const std::string was = provider_->name;
    if (next_route()) {
        wait = milliseconds(0);
    } else if (verdict.retry_after) {
        wait = std::max(wait, *verdict.retry_after);
    }
    if (wait > retry.longest) {
        return false;
    }
    shared_.count([&](GateMetrics &metrics) {
        metrics.retries[metric_label("provider", was) + "," +
                        metric_label("reason", verdict.not_sent ? "not reached"
                                                                : verdict.reason)]++;
    });
    timer_ = loop_.timers_.after(wait, [weak = weak_from_this()] {
        if (const auto self = weak.lock(); self && !self->finished_) {
            self->timer_ = 0;
            self->try_route();
        }
    });
    return true;
}

} // namespace ap
