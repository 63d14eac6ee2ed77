#include "check.hh"
#include "leased.hh"

#include "domain/phase_approvals.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

using Kind = PhaseApprovals::Answer::Kind;

constexpr const char *with_approval =
    R"(, "approval": {"summary": "deploy", "timeout": "1h"})";

class Fixture
{
public:
    explicit Fixture(const std::string &members = with_approval,
                     const std::string &work = R"("command": ["true"])")
        : run(members, work)
        , state(run.paths(), State::Access::Write, "test")
        , approvals(state, run.clock())
    {
    }

    // Leases phase a, asks, and gives the lease back unless it may start.
    PhaseApprovals::Answer ask()
    {
        const Lease lease = run.lease();
        PhaseApprovals::Answer answer = approvals.ask(lease);
        if (answer.kind != Kind::Start) {
            return_lease(run.get(), lease, answer.until, answer.reason, run.clock());
        }
        return answer;
    }

    void decide(int64_t id, bool approved)
    {
        decide_approval(state, id, {approved, "ann", "because"}, run.clock());
    }

    check::LeasedRun run;
    State state;
    PhaseApprovals approvals;
};

void a_phase_without_an_approval_starts()
{
    Fixture fixture("");
    CHECK_EQUAL(fixture.ask().kind, Kind::Start);
}

void a_phase_waits_until_its_question_expires_at_the_latest()
{
    Fixture fixture;
    const PhaseApprovals::Answer answer = fixture.ask();
    CHECK_EQUAL(answer.kind, Kind::Wait);
    CHECK_EQUAL(answer.reason, "waits for approval 1");
    CHECK_EQUAL(answer.until, fixture.run.clock().now() + 3'600'000);
    CHECK_EQUAL(fixture.run.lease().phase.id, "b");
}

void a_yes_lets_the_phase_be_leased_and_start()
{
    Fixture fixture;
    fixture.ask();
    fixture.decide(1, true);
    CHECK_EQUAL(fixture.ask().kind, Kind::Start);
}

void a_no_refuses_the_phase_with_its_reason()
{
    Fixture fixture;
    fixture.ask();
    fixture.decide(1, false);
    const PhaseApprovals::Answer answer = fixture.ask();
    CHECK_EQUAL(answer.kind, Kind::Refuse);
    CHECK_EQUAL(answer.reason, "approval 1 was rejected by ann: because");
}

void silence_refuses_the_phase()
{
    Fixture fixture;
    fixture.ask();
    fixture.run.clock().advance(1h);
    const PhaseApprovals::Answer answer = fixture.ask();
    CHECK_EQUAL(answer.kind, Kind::Refuse);
    CHECK_EQUAL(answer.reason, "approval 1 was not given in time");
}

// What becomes of a phase after a no to a question of this kind that a build asked.
Kind after_a_no_to(const std::string &kind)
{
    Fixture fixture("", R"("goal": "g")");
    ApprovalRequest request;
    request.run_id = "r";
    request.phase_id = "a";
    request.kind = kind;
    request.summary = "go on?";
    request.guards_phase = true;
    fixture.decide(request_approval(fixture.run.get(), request, fixture.run.clock()),
                   false);
    return fixture.ask().kind;
}

void a_no_to_a_change_lets_the_phase_start_to_end_its_build()
{
    CHECK_EQUAL(after_a_no_to("change"), Kind::Start);
    CHECK_EQUAL(after_a_no_to("stuck"), Kind::Refuse);
}

void a_phase_is_asked_for_once_whoever_asks()
{
    Fixture fixture;
    fixture.ask();
    PhaseApprovals other(fixture.state, fixture.run.clock());
    fixture.run.get().execute("UPDATE phases SET not_before = 0 WHERE phase_id = 'a'");
    const Lease lease = fixture.run.lease();
    CHECK_EQUAL(other.ask(lease).reason, "waits for approval 1");
    CHECK_EQUAL(fixture.run.get().query_integer("SELECT count(*) FROM approvals"), 1);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_phase_without_an_approval_starts),
        TEST(a_phase_waits_until_its_question_expires_at_the_latest),
        TEST(a_yes_lets_the_phase_be_leased_and_start),
        TEST(a_no_refuses_the_phase_with_its_reason),
        TEST(silence_refuses_the_phase),
        TEST(a_no_to_a_change_lets_the_phase_start_to_end_its_build),
        TEST(a_phase_is_asked_for_once_whoever_asks),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
