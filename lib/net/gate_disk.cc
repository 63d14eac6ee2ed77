#include "net/gate_disk.hh"

#include <memory>
#include <utility>

namespace ap {

namespace {

// Where the breaker stands now; one never used is closed, with the defaults. On the
// store's thread, so that what was seen last is what is remembered.
void see(GateStore &store, const std::string &name)
{
    Breaker breaker;
    breaker.name = name;
    try {
        breaker = store.breakers().show(name);
    } catch (const Error &error) {
        if (error.status() != ExitStatus::NoInput) {
            throw;
        }
    }
    store.memory().see_breaker(name, breaker);
}

} // namespace

// What a job found, or that it could not.
struct GateDisk::Answer
{
    std::optional<CapabilityOwner> owner;
    BreakerPermit permit{.allowed = true};
    std::optional<CallRecord> kept;
    bool failed = false;
};

void GateDisk::post(Work work, const std::function<void(const Answer &)> &then)
{
    const auto answer = std::make_shared<Answer>();
    const bool taken = store_.post(
        [answer, work = std::move(work)](GateStore &store) { work(store, *answer); },
        [answer, then](const std::string &trouble) {
            answer->failed = !trouble.empty();
            if (then) {
                then(*answer);
            }
        },
        mailbox_);
    if (!taken && then) {
        answer->failed = true;
        then(*answer);
    }
}

void GateDisk::find_owner(std::string_view key, OwnerThen then)
{
    std::string name(key);
    if (const auto known = store_.memory().owner(name)) {
        then(known);
        return;
    }
    post(
        [name](GateStore &store, Answer &answer) {
            answer.owner = capability_owner(store.database(), name);
            store.memory().see_owner(name, answer.owner);
        },
        [then = std::move(then)](const Answer &answer) { then(answer.owner); });
}

void GateDisk::ask_breaker(const std::string &name, PermitThen then)
{
    const GateMemory::Look look = store_.memory().look(name, store_.clock().now());
    if (look.look_again) {
        post([name](GateStore &store, Answer &) { see(store, name); },
             [this, name](const Answer &answer) {
                 if (answer.failed) {
                     store_.memory().looked_in_vain(name);
                 }
             });
    }
    if (look.permit) {
        then(*look.permit);
    } else {
        ask_database(name, std::move(then));
    }
}

void GateDisk::ask_database(const std::string &name, PermitThen then)
{
    post(
        [name](GateStore &store, Answer &answer) {
            answer.permit = store.breakers().allow(name);
            see(store, name);
        },
        [then = std::move(then)](const Answer &answer) { then(answer.permit); });
}

void GateDisk::report(const std::string &name, const BreakerResult &result,
                      const std::string &reason)
{
    if (!result.failed && !result.probe_id && !result.slow_ms &&
        store_.memory().is_quiet(name)) {
        return;
    }
    post(
        [name, result, reason](GateStore &store, Answer &) {
            BreakerResult reported = result;
            reported.reason = reason;
            store.breakers().report(name, reported);
            see(store, name);
        },
        nullptr);
}

void GateDisk::cancel_probe(const std::string &name, std::optional<int64_t> probe_id)
{
    if (probe_id) {
        post([name, probe_id](GateStore &store,
                              Answer &) { store.breakers().cancel(name, probe_id); },
             nullptr);
    }
}

void GateDisk::archive(const std::string &directory,
                       std::shared_ptr<const CallRecord> record)
{
    post([directory, record = std::move(record)](
             GateStore &, Answer &) { append_call_record(directory, *record); },
         nullptr);
}

void GateDisk::find_answer(const std::string &key, AnswerThen then)
{
    post([key](GateStore &store,
               Answer &answer) { answer.kept = store.answers().find(key); },
         [then = std::move(then)](const Answer &answer) { then(answer.kept); });
}

void GateDisk::keep_answer(const std::string &key,
                           std::shared_ptr<const CallRecord> answer, int64_t most)
{
    post([key, answer = std::move(answer),
          most](GateStore &store, Answer &) { store.answers().keep(key, *answer, most); },
         nullptr);
}

void GateDisk::note_hit(const CapabilityOwner &owner, const Usage &usage)
{
    post(
        [owner, usage](GateStore &store, Answer &) {
            record_usage(store.database(),
                         {owner.run_id, owner.phase_id, owner.attempt, "gateway", {}},
                         usage, store.clock());
        },
        nullptr);
}

} // namespace ap
