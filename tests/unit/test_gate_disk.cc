#include "check.hh"
#include "eventually.hh"
#include "leased.hh"

#include "domain/breaker.hh"
#include "domain/capability.hh"
#include "net/gate_disk.hh"

using namespace ap;

namespace {

// A disk of a state with an attempt under way, whose key is `key`.
struct Scene
{
    Scene()
        : attempt(run.lease())
        , key(issue_capability(run.get(), attempt.attempt_id, run.clock()))
        , store(run.paths())
        , disk(store, mailbox)
    {
    }

    template <typename Condition>
    void run_until(const Condition &condition)
    {
        CHECK(check::eventually([&] {
            mailbox.deliver();
            return condition();
        }));
    }

    std::optional<CapabilityOwner> owner(const std::string &of)
    {
        bool told = false;
        std::optional<CapabilityOwner> found;
        disk.find_owner(of, [&](const auto &owner) {
            told = true;
            found = owner;
        });
        run_until([&] { return told; });
        return found;
    }

    BreakerPermit permit(const std::string &name)
    {
        std::optional<BreakerPermit> found;
        disk.ask_breaker(name, [&](const BreakerPermit &permit) { found = permit; });
        run_until([&] { return found.has_value(); });
        return *found;
    }

    void settle()
    {
        run_until([&] { return store.pending() == 0 && mailbox.waiting() == 0; });
    }

    check::LeasedRun run;
    Lease attempt;
    std::string key;
    Mailbox mailbox;
    GateStore store;
    GateDisk disk;
};

void a_key_tells_its_owner_until_it_is_revoked()
{
    Scene scene;
    const auto owner = scene.owner(scene.key);
    CHECK(owner && owner->run_id == "r" && owner->phase_id == "a");
    CHECK(!scene.owner("apk-" + std::string(43, 'x')));
    revoke_capabilities(scene.run.get(), scene.attempt.attempt_id, scene.run.clock());
    // It is remembered for a moment.
    CHECK(check::eventually([&] { return !scene.owner(scene.key).has_value(); }));
}

void what_is_remembered_is_told_at_once()
{
    Scene scene;
    static_cast<void>(scene.owner(scene.key));
    bool told = false;
    scene.disk.find_owner(scene.key, [&](const auto &) { told = true; });
    CHECK(told);
}

void failures_reported_open_a_breaker()
{
    Scene scene;
    CHECK(scene.permit("gate.p.m").allowed);
    for (int i = 0; i < 5; i++) {
        BreakerResult result;
        result.failed = true;
        scene.disk.report("gate.p.m", result, "overloaded (529)");
    }
    scene.settle();
    const BreakerPermit permit = scene.permit("gate.p.m");
    CHECK(!permit.allowed && permit.retry_at.has_value());
    Breakers breakers(scene.run.get(), scene.run.clock());
    CHECK(breakers.show("gate.p.m").reason.value_or("").ends_with("overloaded (529)"));
}

void what_was_seen_last_is_remembered_whoever_is_told_first()
{
    Scene scene;
    Mailbox others;
    GateDisk other(scene.store, others);
    CHECK(scene.permit("gate.p.m").allowed);
    CHECK(check::eventually([&] { // it is looked at again, closed still
        other.ask_breaker("gate.p.m", [](const BreakerPermit &) {});
        scene.store.wait();
        return others.waiting() > 0;
    }));
    BreakerResult failed;
    failed.failed = true;
    for (int i = 0; i < 5; i++) {
        scene.disk.report("gate.p.m", failed, "overloaded (529)");
    }
    scene.settle();
    others.deliver(); // late
    CHECK(!scene.permit("gate.p.m").allowed);
    CHECK(!scene.store.memory().is_quiet("gate.p.m"));
}

void a_success_that_changes_nothing_is_not_written()
{
    Scene scene;
    static_cast<void>(scene.permit("gate.p.m"));
    scene.settle();
    scene.disk.report("gate.p.m", {}, "");
    CHECK_EQUAL(scene.store.pending(), 0u);
}

void answers_are_kept_and_hits_recorded()
{
    Scene scene;
    const auto answer = std::make_shared<CallRecord>();
    answer->method = "POST";
    answer->target = "/v1/messages";
    answer->status = 200;
    answer->response_body = "kept";
    const std::string name(64, 'a');
    scene.disk.keep_answer(name, answer, 1 << 20);
    std::string found;
    scene.disk.find_answer(
        name, [&](const auto &kept) { found = kept ? kept->response_body : "-"; });
    scene.run_until([&] { return !found.empty(); });
    CHECK_EQUAL(found, "kept");
    Usage nothing;
    nothing.provider = "cache";
    scene.disk.note_hit(*scene.owner(scene.key), nothing);
    scene.settle();
    Statement events = scene.run.get().prepare(
        "SELECT run_id, phase_id, provider, prompt_tokens FROM llm_usage_events");
    CHECK(events.step());
    CHECK_EQUAL(events.text(2), "cache");
    CHECK_EQUAL(events.integer(3), 0);
    CHECK_EQUAL(scene.store.trouble(), "");
}

void trouble_is_told()
{
    Scene scene;
    scene.disk.archive("/proc/none", std::make_shared<CallRecord>());
    scene.settle();
    CHECK(scene.store.trouble().find("/proc/none") != std::string::npos);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_key_tells_its_owner_until_it_is_revoked),
        TEST(what_is_remembered_is_told_at_once),
        TEST(failures_reported_open_a_breaker),
        TEST(what_was_seen_last_is_remembered_whoever_is_told_first),
        TEST(a_success_that_changes_nothing_is_not_written),
        TEST(answers_are_kept_and_hits_recorded),
        TEST(trouble_is_told),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
