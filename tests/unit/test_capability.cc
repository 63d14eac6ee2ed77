#include "leased.hh"

#include "domain/capability.hh"

using namespace ap;

namespace {

void a_key_tells_its_attempt()
{
    check::LeasedRun run;
    const Lease a = run.lease();
    const Lease b = run.lease();
    const std::string key_of_a = issue_capability(run.get(), a.attempt_id, run.clock());
    const std::string key_of_b = issue_capability(run.get(), b.attempt_id, run.clock());
    const auto owner = capability_owner(run.get(), key_of_b);
    CHECK(owner.has_value());
    CHECK_EQUAL(owner->attempt_id, b.attempt_id);
    CHECK_EQUAL(owner->run_id, "r");
    CHECK_EQUAL(owner->phase_id, "b");
    CHECK_EQUAL(owner->attempt, 1);
    const auto other = capability_owner(run.get(), key_of_a);
    CHECK(other.has_value());
    CHECK_EQUAL(other->phase_id, "a");
}

void a_key_is_dead_once_its_attempt_has_ended()
{
    for (const AttemptStatus status :
         {AttemptStatus::Succeeded, AttemptStatus::Failed, AttemptStatus::Interrupted}) {
        check::LeasedRun run;
        const Lease lease = run.lease();
        const std::string key =
            issue_capability(run.get(), lease.attempt_id, run.clock());
        CHECK(capability_owner(run.get(), key).has_value());
        run.finish(lease, status);
        CHECK(!capability_owner(run.get(), key).has_value());
    }
}

void a_revoked_key_is_dead_before_that()
{
    check::LeasedRun run;
    const Lease a = run.lease();
    const Lease b = run.lease();
    const std::string revoked = issue_capability(run.get(), a.attempt_id, run.clock());
    const std::string kept = issue_capability(run.get(), b.attempt_id, run.clock());
    revoke_capabilities(run.get(), a.attempt_id, run.clock());
    CHECK(!capability_owner(run.get(), revoked).has_value());
    CHECK(capability_owner(run.get(), kept).has_value());
}

void a_key_goes_with_a_lease_that_is_given_back()
{
    check::LeasedRun run;
    const Lease lease = run.lease();
    const std::string key = issue_capability(run.get(), lease.attempt_id, run.clock());
    return_lease(run.get(), lease, 0, "breaker open", run.clock());
    CHECK(!capability_owner(run.get(), key).has_value());
    CHECK_EQUAL(run.get().query_integer("SELECT count(*) FROM capabilities"), 0);
}

void the_database_never_holds_the_key()
{
    check::LeasedRun run;
    const std::string key =
        issue_capability(run.get(), run.lease().attempt_id, run.clock());
    CHECK_EQUAL(run.get().query_text("SELECT key_hash FROM capabilities"),
                capability_hash(key));
    run.get().execute("PRAGMA wal_checkpoint(TRUNCATE)");
    const std::string file = read_file(run.get().path(), size_t{64} << 20);
    CHECK(file.find(capability_hash(key)) != std::string::npos);
    CHECK(file.find(key) == std::string::npos);
    CHECK(file.find(key.substr(capability_prefix.size())) == std::string::npos);
}

void keys_have_one_form_and_nothing_else_has_it()
{
    check::LeasedRun run;
    const std::string key =
        issue_capability(run.get(), run.lease().attempt_id, run.clock());
    CHECK(is_capability(key));
    CHECK_EQUAL(key.size(), capability_length);
    CHECK(!is_capability(""));
    CHECK(!is_capability("sk-ant-api03-" + std::string(34, 'x')));
    CHECK(!is_capability(key.substr(1)));
    CHECK(!is_capability(key + "x"));
    CHECK(!is_capability(key.substr(0, 46) + "="));
    CHECK(!is_capability(key.substr(0, 46) + std::string(1, '\0')));
}

void a_key_nobody_was_given_has_no_owner()
{
    check::LeasedRun run;
    std::string key = issue_capability(run.get(), run.lease().attempt_id, run.clock());
    key.back() = key.back() == 'A' ? 'E' : 'A';
    CHECK(is_capability(key));
    CHECK(!capability_owner(run.get(), key).has_value());
    CHECK(!capability_owner(run.get(), "sk-proj-foreign").has_value());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_key_tells_its_attempt),
        TEST(a_key_is_dead_once_its_attempt_has_ended),
        TEST(a_revoked_key_is_dead_before_that),
        TEST(a_key_goes_with_a_lease_that_is_given_back),
        TEST(the_database_never_holds_the_key),
        TEST(keys_have_one_form_and_nothing_else_has_it),
        TEST(a_key_nobody_was_given_has_no_owner),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
