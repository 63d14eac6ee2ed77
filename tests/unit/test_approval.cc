#include "check.hh"
#include "leased.hh"
#include "support.hh"

#include "domain/approval.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

class Fixture
{
public:
    Fixture()
        : state_(check::paths_in(directory_), State::Access::Create, "test")
    {
        const std::string text = R"({"run_id": "r", "phases": [
            {"id": "p", "command": "true"}, {"id": "q", "command": "true"}]})";
        create_run(state_, parse_plan(text, "p"), text, {}, clock);
    }

    State &state() { return state_; }
    Sqlite &get() { return state_.database(); }

    int64_t ask(std::optional<std::chrono::milliseconds> timeout = std::nullopt,
                bool granted_on_expiry = false)
    {
        ApprovalRequest request{.run_id = "r", .phase_id = "p", .summary = "sure?"};
        request.timeout = timeout.value_or(request.timeout);
        request.granted_on_expiry = granted_on_expiry;
        return request_approval(get(), request, clock);
    }

    Approval decide(int64_t id, bool approved)
    {
        return decide_approval(state_, id, {approved, "ann"}, clock);
    }

    ApprovalState state_of(int64_t id) { return show_approval(get(), id, clock).state; }

    check::ManualClock clock;

private:
    check::TemporaryDirectory directory_;
    State state_;
};

void a_question_waits_until_it_is_answered()
{
    Fixture fixture;
    const int64_t id = fixture.ask();
    CHECK_EQUAL(count_pending_approvals(fixture.get(), fixture.clock), 1);
    const Approval answered = fixture.decide(id, true);
    CHECK(answered.granted());
    CHECK_EQUAL(answered.decided_by.value(), "ann");
    CHECK_EQUAL(count_pending_approvals(fixture.get(), fixture.clock), 0);
}

void of_two_answers_the_first_counts()
{
    Fixture fixture;
    const int64_t id = fixture.ask();
    fixture.decide(id, false);
    CHECK_THROWS(fixture.decide(id, true), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
        CHECK(std::string_view(error.what()).find("rejected before, by ann") !=
              std::string_view::npos);
    });
    CHECK_EQUAL(fixture.state_of(id), ApprovalState::Rejected);
}

void the_default_holds_when_time_is_up()
{
    Fixture fixture;
    const int64_t no = fixture.ask(1s);
    const int64_t yes = fixture.ask(1s, true);
    fixture.clock.advance(999ms);
    CHECK_EQUAL(fixture.state_of(no), ApprovalState::Pending);
    fixture.clock.advance(1ms);
    CHECK(!settle_approval(fixture.get(), no, fixture.clock).granted());
    CHECK(settle_approval(fixture.get(), yes, fixture.clock).granted());
    CHECK_EQUAL(fixture.get().query_text("SELECT group_concat(state) FROM approvals"),
                "EXPIRED,EXPIRED");
}

void an_answer_that_comes_too_late_is_refused_and_recorded_as_expired()
{
    Fixture fixture;
    const int64_t id = fixture.ask(1s);
    fixture.clock.advance(1s);
    CHECK_THROWS(fixture.decide(id, true), Error, [](const Error &error) {
        CHECK(std::string_view(error.what()).find("has expired") !=
              std::string_view::npos);
    });
    CHECK_EQUAL(fixture.get().query_text("SELECT state FROM approvals"), "EXPIRED");
}

void lists_what_expires_first_at_the_head_and_all_newest_first()
{
    Fixture fixture;
    fixture.ask(3s);
    fixture.ask(1s);
    fixture.ask(2s);
    fixture.decide(1, true);
    const auto waiting = list_approvals(fixture.get(), {}, fixture.clock);
    CHECK_EQUAL(waiting.size(), 2u);
    CHECK_EQUAL(waiting[0].approval_id, 2);
    ApprovalFilter all;
    all.decided = true;
    all.before = 3;
    const auto older = list_approvals(fixture.get(), all, fixture.clock);
    CHECK_EQUAL(older.size(), 2u);
    CHECK_EQUAL(older[0].approval_id, 2);
    fixture.clock.advance(1s);
    CHECK_EQUAL(list_approvals(fixture.get(), {}, fixture.clock).size(), 1u);
}

void a_run_that_ends_takes_its_questions_back()
{
    Fixture fixture;
    const int64_t id = fixture.ask(std::nullopt, true);
    abort_run(fixture.get(), "r", "enough", fixture.clock);
    CHECK_EQUAL(fixture.state_of(id), ApprovalState::Withdrawn);
    CHECK(!show_approval(fixture.get(), id, fixture.clock).granted());
    CHECK_THROWS(fixture.ask(), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

void what_is_decided_stays()
{
    Fixture fixture;
    fixture.decide(fixture.ask(), true);
    CHECK_THROWS(fixture.get().execute("UPDATE approvals SET state = 'REJECTED'"), Error,
                 [](const Error &) {});
}

void every_change_is_an_event()
{
    Fixture fixture;
    fixture.decide(fixture.ask(), true);
    CHECK_EQUAL(
        fixture.get().query_text("SELECT group_concat(kind || ' ' || coalesce("
                                 "json_extract(detail, '$.to'), '-')) FROM events "
                                 "WHERE kind LIKE 'approval%'"),
        "approval.requested -,approval.state APPROVED");
}

void texts_are_checked_and_repaired()
{
    Fixture fixture;
    ApprovalRequest request{.run_id = "r", .summary = "a\nb"};
    CHECK_THROWS(request_approval(fixture.get(), request, fixture.clock), Error,
                 [](const Error &) {});
    request.summary = "sure?";
    request.detail = "\xff";
    const int64_t id = request_approval(fixture.get(), request, fixture.clock);
    CHECK_EQUAL(show_approval(fixture.get(), id, fixture.clock).detail, "\xef\xbf\xbd");
    request.detail = std::string((1 << 20) + 1, 'x');
    CHECK_THROWS(request_approval(fixture.get(), request, fixture.clock), Error,
                 [](const Error &) {});
}

void the_text_for_people_shows_what_would_deceive_them()
{
    Fixture fixture;
    ApprovalRequest request{.run_id = "r", .summary = "fine"};
    request.detail = "a\x1b[2Kb\n\xe2\x80\xae\tc";
    const int64_t id = request_approval(fixture.get(), request, fixture.clock);
    const std::string text =
        approval_text(show_approval(fixture.get(), id, fixture.clock));
    CHECK(text.ends_with("a\\x1b[2Kb\n\\u202e\tc"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_question_waits_until_it_is_answered),
        TEST(of_two_answers_the_first_counts),
        TEST(the_default_holds_when_time_is_up),
        TEST(an_answer_that_comes_too_late_is_refused_and_recorded_as_expired),
        TEST(lists_what_expires_first_at_the_head_and_all_newest_first),
        TEST(a_run_that_ends_takes_its_questions_back),
        TEST(what_is_decided_stays),
        TEST(every_change_is_an_event),
        TEST(texts_are_checked_and_repaired),
        TEST(the_text_for_people_shows_what_would_deceive_them),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
