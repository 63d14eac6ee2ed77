#include "net/auditor.hh"

#include "check.hh"
#include "questioner.hh"
#include "support.hh"

using namespace ap;
using check::ScriptedQuestioner;

namespace {

const std::string approves = R"({"verdict": "approve", "issues": []})";

AuditOrder order()
{
    AuditOrder order;
    order.matter = {"Say good bye", {"politely"}, "-hello\n+bye\n", "1 passed"};
    order.model.model = "judge";
    order.model.max_output = 500;
    return order;
}

void judges_goal_criteria_change_and_evidence()
{
    ScriptedQuestioner questioner({{approves}});
    const AuditResult result = make_audit(questioner, order(), nullptr);
    CHECK(result.audit.verdict == AuditVerdict::Approve);
    CHECK_EQUAL(result.tokens, 15);
    CHECK_EQUAL(result.model, "judge");
    const LlmPrompt &prompt = questioner.asked.at(0);
    for (const char *words : {"Say good bye", "politely", "+bye", "1 passed"}) {
        CHECK(check::contains(prompt.text, words));
    }
    CHECK_EQUAL(prompt.max_tokens.value_or(0), 500);
}

void what_cannot_be_read_is_asked_for_once_more_and_told_why()
{
    ScriptedQuestioner questioner({{"Looks fine to me."}, {approves}});
    const AuditResult result = make_audit(questioner, order(), nullptr);
    CHECK(result.audit.verdict == AuditVerdict::Approve);
    CHECK_EQUAL(result.tokens, 30);
    const LlmTurn &turn = questioner.asked.at(1).turns.at(0);
    CHECK_EQUAL(turn.answer, "Looks fine to me.");
    CHECK(check::contains(turn.reply, "expected one JSON object"));
}

void what_cannot_be_read_again_is_major()
{
    ScriptedQuestioner questioner({{"fine"}, {"really fine"}, {approves}});
    const AuditResult result = make_audit(questioner, order(), nullptr);
    CHECK(result.audit.verdict == AuditVerdict::Major);
    CHECK(result.audit.malformed);
    CHECK_EQUAL(questioner.asked.size(), 2);
}

void keeps_within_the_phases_cap_for_audits()
{
    const check::TemporaryDirectory directory;
    const AuditAccount account(directory.file("audit.jsonl"), 3000);
    ScriptedQuestioner questioner({{"fine"}, {approves}});
    make_audit(questioner, order(), &account);
    CHECK_EQUAL(account.left(), 2970);
    account.add(2900, "judge");
    CHECK_THROWS(make_audit(questioner, order(), &account), Error,
                 [](const Error &error) {
                     CHECK_EQUAL(error.status(), ExitStatus::BudgetExhausted);
                     CHECK(check::contains(error.what(), "70 of 3000 tokens left"));
                 });
    CHECK_EQUAL(questioner.asked.size(), 2);
}

void what_is_left_of_the_cap_limits_the_answer()
{
    const check::TemporaryDirectory directory;
    AuditOrder large = order();
    large.model.max_output = 1'000'000;
    const AuditAccount account(directory.file("audit.jsonl"), 5000);
    ScriptedQuestioner questioner({{approves}});
    make_audit(questioner, large, &account);
    CHECK(questioner.asked.at(0).max_tokens.value_or(0) < 5000);
}

void a_kept_answer_is_neither_paid_for_nor_counted_again()
{
    const check::TemporaryDirectory directory;
    const AuditAccount account(directory.file("audit.jsonl"), 3000);
    AuditOrder kept = order();
    kept.kept_in = directory.path();
    ScriptedQuestioner questioner({{approves}});
    make_audit(questioner, kept, &account);
    const AuditResult again = make_audit(questioner, kept, &account);
    CHECK(again.audit.verdict == AuditVerdict::Approve);
    CHECK_EQUAL(account.left(), 2985);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(judges_goal_criteria_change_and_evidence),
        TEST(what_cannot_be_read_is_asked_for_once_more_and_told_why),
        TEST(what_cannot_be_read_again_is_major),
        TEST(keeps_within_the_phases_cap_for_audits),
        TEST(what_is_left_of_the_cap_limits_the_answer),
        TEST(a_kept_answer_is_neither_paid_for_nor_counted_again),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
