#include "net/gate_call.hh"
#include "net/gate_forward.hh"
#include "net/gate_loop.hh"

#include <utility>

namespace ap {

namespace {

// Who answered, in the records of a call that no provider did.
constexpr std::string_view cache_name = "cache";

} // namespace

void GateCall::look_up()
{
    const std::string_view scope =
        config_->cache->shared ? std::string_view() : owner_->run_id;
    answer_key_ = answer_key(scope, exchange_->method(), exchange_->target(),
                             exchange_->fields(), body_);
    loop_.disk_.find_answer(
        answer_key_, [weak = weak_from_this()](const std::optional<CallRecord> &kept) {
            const auto self = weak.lock();
            if (!self || self->finished_) {
                return;
            }
            if (kept) {
                self->answer_again(*kept);
            } else {
                self->choose_provider();
            }
        });
}

void GateCall::answer_again(const CallRecord &kept)
{
    const auto self = shared_from_this();
    std::vector<HttpField> fields;
    for (const auto &[name, value] : kept.response_fields) {
        fields.push_back({name, value});
    }
    status_ = kept.status;
    answering_ = true;
    Usage nothing;
    nothing.provider = cache_name;
    nothing.model = estimate_.model;
    nothing.request_id = shared_.request_id(id_);
    shared_.count([&](GateMetrics &metrics) { metrics.hits++; });
    loop_.disk_.note_hit(*owner_, nothing);
    begin_record(fields);
    if (record_) {
        record_->response_body = kept.response_body;
        record_->usage = nothing;
    }
    archive(true);
    const bool sized = find_field(fields, "content-length").has_value();
    exchange_->begin(kept.status, fields,
                     sized ? std::optional<uint64_t>(kept.response_body.size())
                           : std::nullopt);
    exchange_->write(kept.response_body);
    exchange_->finish();
}

void GateCall::begin_keeping(std::span<const HttpField> fields)
{
    if (status_ != 200) {
        return;
    }
    kept_ = std::make_shared<CallRecord>();
    kept_->at = SystemClock().now();
    kept_->method = exchange_->method();
    kept_->target = exchange_->target();
    kept_->status = status_;
    for (const HttpField &field : answered_fields(fields)) {
        kept_->response_fields.emplace_back(field.name, field.value);
    }
}

void GateCall::keep(std::string_view piece)
{
    if (kept_->response_body.size() + piece.size() > config_->body_limit) {
        kept_.reset();
        return;
    }
    kept_->response_body += piece;
}

// Only an answer that its provider gave all of is one to give again.
void GateCall::end_keeping()
{
    const auto kept = std::exchange(kept_, nullptr);
    if (meter_ && meter_->progress().final) {
        loop_.disk_.keep_answer(answer_key_, kept, config_->cache->size);
    }
}

} // namespace ap
