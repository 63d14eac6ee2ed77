#include "net/gate_call.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "net/gate_forward.hh"
#include "net/gate_loop.hh"
#include "wrap/json.hh"

#include <algorithm>

namespace ap {

GateCall::GateCall(GateLoop &loop, uint64_t id, std::shared_ptr<HttpExchange> exchange)
    : loop_(loop)
    , shared_(loop.shared_)
    , id_(id)
    , config_(loop.setup_.config)
    , exchange_(std::move(exchange))
{
}

GateCall::~GateCall() = default;

void GateCall::start()
{
    const std::weak_ptr<GateCall> weak = weak_from_this();
    exchange_->on_close([weak](bool whole) {
        if (const auto self = weak.lock()) {
            self->client_closed(whole);
        }
    });
    route_ = route_of(exchange_->method(), exchange_->path());
    family_ = family_of(route_.dialect);
    if (family_.empty()) {
        family_ = guessed_family(exchange_->fields(), exchange_->path());
    }
    if (loop_.drained_) {
        // It would be forwarded, and then cut.
        answer_fault(GateFault::Busy, "the Autopack gateway is about to end",
                     std::chrono::milliseconds(1'000));
        return;
    }
    key_ = presented_key(exchange_->fields(), exchange_->query());
    if (!is_capability(key_)) {
        answer_fault(GateFault::BadKey,
                     key_.empty() ? "no key was given to the Autopack gateway"
                                  : "this key is none of the Autopack gateway's");
        return;
    }
    if (route_.dialect == Dialect::Other && !config_->pass_unknown_paths) {
        answer_fault(GateFault::UnknownPath, "the Autopack gateway does not pass on " +
                                                 printable(exchange_->method()) + " " +
                                                 printable(exchange_->path()));
        return;
    }
    exchange_->read_body(config_->body_limit, [weak](std::string body) {
        if (const auto self = weak.lock()) {
            self->take_body(std::move(body));
        }
    });
}

void GateCall::take_body(std::string body)
{
    body_ = std::move(body);
    loop_.disk_.find_owner(
        key_, [weak = weak_from_this()](const std::optional<CapabilityOwner> &owner) {
            if (const auto self = weak.lock(); self && !self->finished_) {
                self->take_owner(owner);
            }
        });
}

void GateCall::take_owner(const std::optional<CapabilityOwner> &owner)
{
    if (!owner) {
        answer_fault(GateFault::BadKey,
                     "this key of the Autopack gateway is not valid (any more)");
        return;
    }
    owner_ = owner;
    if (is_metered(route_.dialect)) {
        try {
            estimate_ = estimate_call(route_, body_);
        } catch (const Error &error) {
            answer_fault(GateFault::BadRequest, error.what());
            return;
        }
        if (config_->cache) {
            look_up();
            return;
        }
    }
    choose_provider();
}

void GateCall::choose_provider()
{
    if (is_metered(route_.dialect)) {
        named_model_ = estimate_.model;
    } else if (!route_.model.empty() || route_.dialect != Dialect::CountTokens) {
        named_model_ = route_.model;
    } else if (const auto question = Json::try_parse(body_)) {
        named_model_ = question->get_string("model").value_or("");
    }
    const std::string_view model = named_model_;
    first_provider_ = config_->route(family_, model);
    if (first_provider_ == nullptr) {
        answer_fault(GateFault::UnknownModel,
                     "no provider of the Autopack gateway takes model '" +
                         printable(model) + "' of family " + family_);
        return;
    }
    if (config_->refuse_unknown_models && is_metered(route_.dialect) &&
        loop_.setup_.prices->find(model) == nullptr) {
        answer_fault(GateFault::UnknownModel,
                     "the Autopack gateway has no price for model '" + printable(model) +
                         "'");
        return;
    }
    provider_ = first_provider_;
    try_route();
}

void GateCall::try_route()
{
    breaker_ = gate_breaker_name(provider_->name, estimate_.model);
    loop_.disk_.ask_breaker(
        breaker_, [weak = weak_from_this()](const BreakerPermit &permit) {
            if (const auto self = weak.lock(); self && !self->finished_) {
                self->take_permit(permit);
            }
        });
}

void GateCall::take_permit(const BreakerPermit &permit)
{
    if (!permit.allowed) {
        if (next_route()) {
            try_route();
            return;
        }
        const auto wait = permit.retry_at
                              ? std::optional(std::chrono::milliseconds(std::max<UnixMs>(
                                    *permit.retry_at - SystemClock().now(), 0)))
                              : std::nullopt;
        answer_fault(GateFault::Open,
                     "the breaker '" + breaker_ + "' of the Autopack gateway is open",
                     wait);
        return;
    }
    permitted_ = true;
    probe_ = permit.probe_id;
    queued_ = true;
    const int64_t tokens =
        estimate_.input_bound + estimate_.max_tokens.value_or(0) * estimate_.choices;
    if (shared_.queues.enter(*provider_, id_, owner_->run_id, tokens)) {
        take_turn();
    }
}

void GateCall::take_turn()
{
    if (finished_) {
        return;
    }
    if (is_metered(route_.dialect) && reservation_ == 0) {
        admit();
    } else {
        forward();
    }
}

LedgerCall GateCall::ledger_call() const
{
    const ModelFacts *facts = loop_.setup_.prices->find(estimate_.model);
    LedgerCall call;
    call.run_id = owner_->run_id;
    call.phase_id = owner_->phase_id;
    call.attempt = owner_->attempt;
    if (counted_ || !can_count_input(route_.dialect)) {
        call.attempt_id = owner_->attempt_id; // a refusal is the last word
    }
    call.provider = provider_->name;
    call.model = estimate_.model;
    call.facts = facts;
    call.dialect = route_.dialect;
    call.input = estimate_.input_bound;
    call.input_from_bytes = !counted_;
    call.streamed = estimate_.stream;
    call.hidden_output = estimate_.hidden_output;
    if (route_.dialect == Dialect::OpenAiEmbeddings) {
        return call;
    }
    const int64_t largest = shared_.ledger.largest_output(estimate_.model);
    const std::optional<int64_t> limit =
        facts != nullptr ? facts->max_output : std::nullopt;
    int64_t one = estimate_.max_tokens.value_or(default_output(limit, largest));
    if (asks_other_model() && limit) {
        one = std::min(one, *limit); // the client's limit was for the model it asked for
    }
    const int64_t least = std::max(config_->min_output, estimate_.least_max_tokens);
    call.output_wanted = one * estimate_.choices;
    call.output_least = std::min(one, least) * estimate_.choices;
    // A limit that we guessed need not be had in full: what the model usually says will
    // do.
    call.output_enough = estimate_.max_tokens
                             ? call.output_wanted
                             : std::clamp(largest * estimate_.choices, call.output_least,
                                          call.output_wanted);
    return call;
}

void GateCall::admit()
{
    LedgerCall call = ledger_call();
    const std::string request_id = shared_.request_id(id_);
    call.request_id = request_id;
    call.tag = id_;
    const Admission admission = shared_.ledger.admit(call);
    reservation_ = admission.call;
    if (admission.state == Admission::State::Waiting) {
        waits_for_budget_ = true;
        return;
    }
    take_admission(admission);
}

void GateCall::take_admission(const Admission &admission)
{
    waits_for_budget_ = false;
    if (admission.state == Admission::State::Admitted) {
        output_ = admission.output;
        forward();
        return;
    }
    reservation_ = 0;
    if (count_input(admission)) {
        return;
    }
    using std::chrono::milliseconds;
    switch (admission.refusal) {
    case Refusal::None:
    case Refusal::PhaseBudget:
    case Refusal::RunBudget:
    case Refusal::DayBudget:
        answer_fault(GateFault::Budget, admission.reason);
        break;
    case Refusal::Timeout:
        answer_fault(GateFault::Busy, admission.reason, milliseconds(5'000));
        break;
    case Refusal::Busy:
        answer_fault(GateFault::Busy, admission.reason, milliseconds(1'000));
        break;
    case Refusal::NoAccount:
        answer_fault(GateFault::BadKey, admission.reason);
        break;
    case Refusal::Failed:
        answer_fault(GateFault::Internal, admission.reason, milliseconds(5'000));
        break;
    }
}

} // namespace ap
